"""Pictures for the eye: decoded, made small enough for a page, coloured. What the model sees is the server's affair."""

import io
import warnings
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt
from fovea_client import ClassInfo, Segmentation, TaskInfo
from PIL import Image, ImageOps

from fovea_dashboard.errors import PictureError

Pixels = npt.NDArray[np.uint8]

FORMATS = ("JPEG", "PNG", "TIFF", "GIF")
SUFFIXES = ("jpg", "jpeg", "png", "tif", "tiff", "gif")
# What a page shows at once on a wide screen; a mask of fifty million pixels would only make it slow.
SHOWN_SIDE_PX = 1400
_MAX_PIXELS = 50_000_000
# Dark blue to yellow with rising lightness, so that it reads the same in grey; interpolated.
_RAMP = np.array([(13, 8, 55), (59, 40, 122), (33, 113, 142), (62, 188, 122), (250, 231, 85)], np.float64)
RAMP_CSS = "linear-gradient(90deg," + ",".join(f"rgb({r:.0f},{g:.0f},{b:.0f})" for r, g, b in _RAMP) + ")"
ONLY_FIRST, ONLY_SECOND, OTHER = (230, 120, 20), (40, 110, 230), (190, 40, 140)


def decode(data: bytes, info: TaskInfo | None = None) -> Pixels:
    """The picture as a viewer shows it, uint8 HxWx3 RGB, at its own size; EXIF orientation is applied.

    Raises:
        PictureError: no picture, more pixels than the task takes, or damaged.
    """
    most = (info.max_pixels if info else None) or _MAX_PIXELS
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            image = Image.open(io.BytesIO(data), formats=FORMATS)
    except Exception as error:  # what Pillow raises for a stranger's bytes has many types
        raise PictureError("The file is not a JPEG, PNG, TIFF or GIF picture; choose another.") from error
    width_px, height_px = image.size
    if width_px * height_px > most:
        raise PictureError(
            f"The picture has {width_px}×{height_px} px, over the limit of {most:,}; choose a smaller one."
        )
    try:
        return _rgb(ImageOps.exif_transpose(image))
    except Exception as error:
        raise PictureError("The picture is damaged or cut off; choose a whole one.") from error


def _rgb(image: Image.Image) -> Pixels:
    if image.mode.startswith("I;16"):  # Pillow would cut it off at 255
        grey = (np.asarray(image) >> 8).astype(np.uint8)
        return np.repeat(grey[..., np.newaxis], 3, axis=2)
    if image.has_transparency_data:
        black = Image.new("RGBA", image.size, (0, 0, 0, 255))
        image = Image.alpha_composite(black, image.convert("RGBA"))
    return np.asarray(image.convert("RGB"), np.uint8)


def small(picture: Pixels) -> Pixels:
    """The picture with a longest side of at most `SHOWN_SIDE_PX`."""
    return _resized(picture, Image.Resampling.BOX)


def small_answer(answer: Segmentation) -> Segmentation:
    """The answer at the size that `small` gives its picture; its figures are no longer the whole answer's."""
    mask = _resized(answer.mask, Image.Resampling.NEAREST)
    return replace(answer, mask=mask, probability=_resized(answer.probability, Image.Resampling.BOX))


def _resized(pixels: Pixels, how: Image.Resampling) -> Pixels:
    height_px, width_px = pixels.shape[:2]
    scale = SHOWN_SIDE_PX / max(height_px, width_px)
    if scale >= 1:
        return pixels
    size = max(1, round(width_px * scale)), max(1, round(height_px * scale))
    return np.asarray(Image.fromarray(pixels).resize(size, how))


def overlay(picture: Pixels, answer: Segmentation, opacity: float) -> Pixels:
    """Picture and answer in one, both as `small` gives them; raises PictureError where their sizes differ."""
    if picture.shape[:2] != answer.mask.shape:
        sizes = [f"{shape[1]}×{shape[0]} px" for shape in (picture.shape, answer.mask.shape)]
        raise PictureError(
            f"The picture reads here as {sizes[0]} and at the endpoint as {sizes[1]}; it cannot be overlaid."
        )
    return answer.overlay(picture, opacity=opacity)


def heat(probability: Pixels) -> Pixels:
    """Probability, uint8 HxW, as colours from dark blue (0) to yellow (1)."""
    at = np.linspace(0, 255, len(_RAMP))
    table = np.stack([np.interp(np.arange(256), at, channel) for channel in _RAMP.T], axis=1)
    colours: Pixels = np.rint(table).astype(np.uint8)
    return colours[probability]


def mask_colours(mask: Pixels, classes: Sequence[ClassInfo]) -> Pixels:
    """Every pixel in its class's colour, uint8 HxWx3."""
    colours: Pixels = np.array([info.colour for info in classes], np.uint8)
    return colours[mask]


def disagreement(picture: Pixels, first: Pixels, second: Pixels) -> Pixels:
    """The picture, faint and grey, with the pixels where two masks differ.

    Orange where the first alone is not background, blue where the second alone is not, purple where neither is.
    """
    grey = (picture.mean(axis=2) * 0.45 + 110).astype(np.uint8)
    shown = np.repeat(grey[..., np.newaxis], 3, axis=2)
    shown[(first > 0) & (second == 0)] = ONLY_FIRST
    shown[(first == 0) & (second > 0)] = ONLY_SECOND
    shown[(first > 0) & (second > 0) & (first != second)] = OTHER
    return shown
