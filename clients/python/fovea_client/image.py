"""What a caller may call an image, checked here and turned into the bytes of an encoded file."""

from pathlib import Path

import numpy as np

from fovea_client.errors import InvalidImageError
from fovea_client.png import Image, encode_png

ImageInput = bytes | Path | Image


def check_image(image: ImageInput) -> None:
    """Raise InvalidImageError for what can be seen without reading a file: type, shape, emptiness, a missing file."""
    if isinstance(image, Path):
        _check_file(image)
    elif isinstance(image, np.ndarray):
        _check_array(image)
    elif not isinstance(image, bytes):
        raise InvalidImageError(f"image is a {type(image).__name__}: pass bytes, a pathlib.Path or a numpy array")
    elif not image:
        raise InvalidImageError("image is 0 bytes: pass the contents of a JPEG, PNG, TIFF or GIF file")


def encode_image(image: ImageInput, *, max_bytes: int | None) -> bytes:
    """The bytes of an encoded image file: a file's contents, bytes as they are, an array as lossless PNG.

    Args:
        image: what `check_image` passed.
        max_bytes: what the server takes, None for no limit; a larger file is not read.

    Raises:
        InvalidImageError: the file cannot be read, or the bytes are over the limit.
    """
    if isinstance(image, Path):
        return _read(image, max_bytes)
    if isinstance(image, np.ndarray):
        data = encode_png(image)
        _check_size(f"{name_image(image)}, as PNG,", len(data), max_bytes)
        return data
    _check_size("image", len(image), max_bytes)
    return image


def name_image(image: ImageInput) -> str:
    """What an error calls the image: its path, or what kind of value it is."""
    if isinstance(image, Path):
        return str(image)
    return f"array of shape {image.shape}" if isinstance(image, np.ndarray) else f"image of {len(image)} bytes"


def _read(path: Path, max_bytes: int | None) -> bytes:
    try:
        _check_size(str(path), path.stat().st_size, max_bytes)
        return path.read_bytes()
    except OSError as error:
        raise InvalidImageError(f"{path}: cannot be read ({error.strerror})") from error


def _check_file(path: Path) -> None:
    try:
        size_bytes = path.stat().st_size
    except OSError as error:
        raise InvalidImageError(f"{path}: cannot be read ({error.strerror})") from error
    if not path.is_file():
        raise InvalidImageError(f"{path}: not a file; pass one image file")
    if not size_bytes:
        raise InvalidImageError(f"{path}: the file is 0 bytes")


def _check_array(array: Image) -> None:
    if array.dtype != np.uint8:
        raise InvalidImageError(
            f"image array has dtype {array.dtype}: pass uint8, 0 to 255 (scale a float image, then .astype(np.uint8))"
        )
    if array.ndim not in (2, 3) or array.shape[2:] not in ((), (3,)):
        raise InvalidImageError(f"image array has shape {array.shape}: pass HxW (grey) or HxWx3 (RGB)")
    if not array.size:
        raise InvalidImageError(f"image array has shape {array.shape}: it holds no pixel")


def _check_size(subject: str, size_bytes: int, max_bytes: int | None) -> None:
    if max_bytes is not None and size_bytes > max_bytes:
        raise InvalidImageError(f"{subject} is {size_bytes} bytes, the server takes {max_bytes}: send a smaller image")
