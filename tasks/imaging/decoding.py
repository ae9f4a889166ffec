"""The trust border: bytes that anyone may have sent become an array, or one sentence that says why not."""

import io
import warnings

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageOps

from tasks.errors import ImageError, Rejection
from tasks.spec import ImageLimits

# Every further format is further parsing code that a stranger's bytes reach.
FORMATS = ("JPEG", "PNG", "TIFF", "GIF")
_SIXTEEN_BIT_GREY = ("I;16", "I;16L", "I;16B", "I;16N")


def decode(data: bytes, limits: ImageLimits | None = None) -> npt.NDArray[np.uint8]:
    """Decode an encoded picture to what a viewer would show.

    Grey, palette, alpha (over black), CMYK and 16-bit samples (their high byte) all become RGB; EXIF orientation is
    applied; of an animation or a multi-page file the first frame counts.

    Args:
        data: a JPEG, PNG, TIFF or GIF file.
        limits: checked before any pixel is decoded; the defaults of `ImageLimits` if None.

    Returns:
        uint8 (height, width, 3), RGB, contiguous.

    Raises:
        ImageError: empty, too many bytes, not one of the formats, too small, too large, damaged, or float samples.
    """
    limits = limits or ImageLimits()
    _check_bytes(data, limits)
    with _open(data, limits) as image:
        _check_size(image, limits)
        try:
            return _to_rgb(image)
        except ImageError:
            raise
        # Pillow's decoders raise whatever the damaged bytes led them to; here it becomes one error.
        except Exception as error:
            said = f"the {image.format} image is damaged or cut off ({error}); send it whole"
            raise ImageError(said, Rejection.DAMAGED) from error


def _check_bytes(data: bytes, limits: ImageLimits) -> None:
    if not data:
        raise ImageError(f"the image is empty (0 bytes); send a {_formats()} file", Rejection.EMPTY)
    if len(data) > limits.max_bytes:
        raise ImageError(
            f"the image has {len(data):,} bytes, over the limit of {limits.max_bytes:,}; send a smaller file",
            Rejection.TOO_MANY_BYTES,
        )


def _open(data: bytes, limits: ImageLimits) -> Image.Image:
    """Read the header only."""
    try:
        with warnings.catch_warnings():
            # Between one and two times its own limit Pillow only warns; our limit, checked next, is lower.
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            return Image.open(io.BytesIO(data), formats=FORMATS)
    except Image.DecompressionBombError as error:
        raise ImageError(f"{_too_large(limits)} ({error})", Rejection.TOO_LARGE) from error
    except Exception as error:
        said = f"the {len(data):,} bytes sent are not a readable image; send a {_formats()} file"
        raise ImageError(said, Rejection.NOT_AN_IMAGE) from error


def _check_size(image: Image.Image, limits: ImageLimits) -> None:
    width_px, height_px = image.size
    if min(width_px, height_px) < limits.min_side_px:
        raise ImageError(
            f"the image has {width_px}×{height_px} pixels and each side needs at least {limits.min_side_px}; "
            "send a larger picture",
            Rejection.TOO_SMALL,
        )
    if max(width_px, height_px) > limits.max_side_px:
        raise ImageError(
            f"the image has {width_px}×{height_px} pixels and a side may have {limits.max_side_px:,}; "
            "cut it into tiles",
            Rejection.TOO_LARGE,
        )
    if width_px * height_px > limits.max_pixels:
        raise ImageError(f"{_too_large(limits)}; this one has {width_px}×{height_px}", Rejection.TOO_LARGE)


def _to_rgb(image: Image.Image) -> npt.NDArray[np.uint8]:
    upright = ImageOps.exif_transpose(image)
    if upright.mode in _SIXTEEN_BIT_GREY:
        grey = (np.asarray(upright) >> 8).astype(np.uint8)
        return np.ascontiguousarray(np.repeat(grey[:, :, None], 3, axis=2))
    if upright.mode in ("I", "F"):
        said = "the image has 32-bit samples, whose range is not defined; send 8-bit or 16-bit samples"
        raise ImageError(said, Rejection.UNDEFINED_RANGE)
    if upright.has_transparency_data:
        black = Image.new("RGBA", upright.size, (0, 0, 0, 255))
        upright = Image.alpha_composite(black, upright.convert("RGBA"))
    return np.ascontiguousarray(np.asarray(upright.convert("RGB")))


def _too_large(limits: ImageLimits) -> str:
    return f"the image is too large: the limit is {limits.max_pixels:,} pixels (width × height)"


def _formats() -> str:
    return ", ".join(FORMATS[:-1]) + " or " + FORMATS[-1]
