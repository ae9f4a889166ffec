"""Files of a labelled picture: found beside each other, digested, and read within the task's limits."""

import gzip
import hashlib
import io
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image

from tasks import ImageLimits
from tasks.checksums import sha256_of
from tasks.errors import ImageError
from tasks.imaging import decode
from training.errors import DataError
from training.samples import Labelled

SUFFIXES = (".jpg", ".jpeg", ".png", ".tif", ".tiff", ".gif")
PPM_SUFFIXES = (".ppm", ".ppm.gz", ".pgm", ".pgm.gz")
_PPM_BYTES_PER_PIXEL = 6  # three samples of at most 16 bits
_EXIF_ORIENTATION = 0x0112
_TURNED = (5, 6, 7, 8)


def pictures(folder: Path, suffixes: tuple[str, ...] = SUFFIXES) -> list[Path]:
    """Return the picture files of a folder, sorted by name; none if there is no such folder."""
    if not folder.is_dir():
        return []
    # Hidden files are half-written ones, or what other systems keep beside a picture.
    visible = (path for path in folder.iterdir() if path.is_file() and not path.name.startswith("."))
    return sorted(path for path in visible if suffix_of(path) in suffixes)


def suffix_of(path: Path) -> str:
    """Return the file's suffix in lower case with its dot; of a compressed file both, as in `.ppm.gz`."""
    suffixes = [suffix.lower() for suffix in path.suffixes[-2:]]
    return "".join(suffixes) if suffixes[-1:] == [".gz"] else "".join(suffixes[-1:])


def stem_of(path: Path) -> str:
    """Return the file's name without what `suffix_of` returns."""
    return path.name[: len(path.name) - len(suffix_of(path))]


def partner(folder: Path, stem: str, image: Path, suffixes: tuple[str, ...] = SUFFIXES) -> Path:
    """Return the one file of that stem.

    Raises:
        DataError: there is none, or there are several; the message names the picture.
    """
    found = [path for suffix in suffixes if (path := folder / f"{stem}{suffix}").is_file()]
    if len(found) != 1:
        raise DataError(f"picture {image} needs exactly one {folder.name}/{stem}.* beside it and has {len(found)}")
    return found[0]


def digest_of(*paths: Path, label: str = "") -> str:
    """Return the SHA-256 over the contents of the files, in their order, and the label's name."""
    digest = hashlib.sha256(label.encode())
    for path in paths:
        digest.update(bytes.fromhex(sha256_of(path)))
    return digest.hexdigest()


def read_bytes(path: Path, limits: ImageLimits) -> bytes:
    """Return the file as `tasks.imaging.decode` takes it; a PPM becomes a PNG of the same pixels.

    Raises:
        DataError: it cannot be read, or a PPM is damaged or larger than the limits.
    """
    try:
        if suffix_of(path) in PPM_SUFFIXES:
            return encode_png(_read_ppm(path, limits))
        return path.read_bytes()
    except (OSError, EOFError, ValueError, Image.DecompressionBombError) as error:
        raise DataError(f"picture {path} cannot be read ({error}); restore the file") from error


def suffix_after_reading(path: Path) -> str:
    """Return the suffix, with its dot, of what `read_bytes` returns."""
    return ".png" if suffix_of(path) in PPM_SUFFIXES else suffix_of(path)


def read_pixels(path: Path, limits: ImageLimits) -> npt.NDArray[np.uint8]:
    """Return the decoded file, uint8 (height, width, 3), RGB.

    Raises:
        DataError: it is not a picture within the limits.
    """
    try:
        return decode(read_bytes(path, limits), limits)
    except ImageError as error:
        raise DataError(f"picture {path} cannot be used: {error}") from error


def read_binary_mask(path: Path, limits: ImageLimits) -> npt.NDArray[np.uint8]:
    """Return uint8 (height, width): 1 where the file is brighter than half, whatever its palette, else 0.

    Raises:
        DataError: as `read_pixels`.
    """
    return (read_pixels(path, limits)[:, :, 0] >= 128).astype(np.uint8)


def labelled(
    image: Path,
    limits: ImageLimits,
    mask: npt.NDArray[np.uint8] | None = None,
    field_of_view: npt.NDArray[np.bool_] | None = None,
) -> Labelled:
    """Return the picture with its labels.

    Raises:
        DataError: picture and labels differ in size, or the picture has no readable header.
    """
    encoded = read_bytes(image, limits)
    for plane in (mask, field_of_view):
        if plane is not None and plane.shape != (size := _upright_size(encoded, image)):
            raise DataError(
                f"picture {image} has {size} rows and columns and its mask {plane.shape}; they must be equal"
            )
    return Labelled(encoded, suffix_after_reading(image), mask, field_of_view)


def encode_png(pixels: npt.NDArray[np.uint8]) -> bytes:
    """Return the picture, uint8 (height, width, 3), RGB, as a PNG file: lossless."""
    return bytes(cv2.imencode(".png", cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR))[1].tobytes())


def _upright_size(encoded: bytes, path: Path) -> tuple[int, int]:
    """Rows and columns from the header, as `decode` will return them."""
    try:
        with Image.open(io.BytesIO(encoded)) as image:
            width_px, height_px = image.size
            turned = image.getexif().get(_EXIF_ORIENTATION) in _TURNED
    except (OSError, ValueError, Image.DecompressionBombError) as error:
        raise DataError(f"picture {path} cannot be read ({error}); restore the file") from error
    return (width_px, height_px) if turned else (height_px, width_px)


def _read_ppm(path: Path, limits: ImageLimits) -> npt.NDArray[np.uint8]:
    most = _PPM_BYTES_PER_PIXEL * limits.max_pixels
    with gzip.open(path, "rb") if path.suffix.lower() == ".gz" else path.open("rb") as file:
        data = file.read(most + 1)
    if len(data) > most:
        raise ValueError(f"over {most:,} bytes")
    with Image.open(io.BytesIO(data), formats=("PPM",)) as image:
        return np.asarray(image.convert("RGB"))
