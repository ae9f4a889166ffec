"""What a caller may call an image, checked here and turned into the bytes of an encoded file."""

from pathlib import Path
from typing import IO

import numpy as np

from fovea_client.errors import InvalidImageError
from fovea_client.png import Image, encode_png
from fovea_client.task import TaskInfo

ImageInput = bytes | Path | IO[bytes] | Image


def check_image(image: ImageInput) -> None:
    """Raise InvalidImageError for what can be seen without reading a file: type, shape, emptiness, a missing file."""
    if isinstance(image, Path):
        _check_file(image)
    elif isinstance(image, np.ndarray):
        _check_array(image)
    elif not isinstance(image, bytes) and not callable(getattr(image, "read", None)):
        raise InvalidImageError(
            f"image is a {type(image).__name__}: pass bytes, a pathlib.Path or a numpy array, "
            "or a file opened with 'rb'"
        )
    elif image == b"":
        raise InvalidImageError("image is 0 bytes: pass the contents of a JPEG, PNG, TIFF or GIF file")


def encode_image(image: ImageInput, task: TaskInfo) -> bytes:
    """The bytes of an encoded image file: a file's contents, bytes as they are, an array as lossless PNG.

    Args:
        image: what `check_image` passed; a file object is read from where it stands to its end.
        task: whose limits hold; what is over them is not read to its end.

    Raises:
        InvalidImageError: the file cannot be read, or the image is over a limit.
    """
    max_bytes = task.max_image_bytes
    if isinstance(image, bytes):
        _check_size("image", len(image), max_bytes)
        return image
    if isinstance(image, Path):
        return _read(image, max_bytes)
    if isinstance(image, np.ndarray):
        _check_pixels(image, task)
        data = encode_png(image)
        _check_size(f"{name_image(image)}, as PNG,", len(data), max_bytes)
        return data
    return _read_object(image, max_bytes)


def name_image(image: ImageInput) -> str:
    """What an error calls the image: its path, or what kind of value it is."""
    if isinstance(image, Path):
        return str(image)
    if isinstance(image, bytes):
        return f"image of {len(image)} bytes"
    if isinstance(image, np.ndarray):
        return f"array of shape {image.shape}"
    return f"file object {getattr(image, 'name', type(image).__name__)}"


def _read(path: Path, max_bytes: int | None) -> bytes:
    try:
        _check_size(str(path), path.stat().st_size, max_bytes)
        return path.read_bytes()
    except OSError as error:
        raise InvalidImageError(f"{path}: cannot be read ({error.strerror})") from error


def _read_object(file: IO[bytes], max_bytes: int | None) -> bytes:
    name = name_image(file)
    try:
        data = file.read() if max_bytes is None else file.read(max_bytes + 1)
    except Exception as error:
        # What a stream from elsewhere raises is its library's; of many images it costs this one.
        raise InvalidImageError(f"{name}: cannot be read ({error})") from error
    if not isinstance(data, bytes):
        raise InvalidImageError(f"{name}: gives {type(data).__name__}, not bytes; open it with 'rb'")
    if not data:
        raise InvalidImageError(f"{name}: nothing is left to read; pass it at the file's start")
    if max_bytes is not None and len(data) > max_bytes:
        raise InvalidImageError(f"{name} is over {max_bytes} bytes, which the server takes: send a smaller image")
    return data


def _check_pixels(array: Image, task: TaskInfo) -> None:
    height_px, width_px = array.shape[:2]
    side_px, pixels = max(height_px, width_px), height_px * width_px
    if task.max_side_px is not None and side_px > task.max_side_px:
        raise InvalidImageError(f"{name_image(array)}: a side of {side_px} px, the server takes {task.max_side_px}")
    if task.max_pixels is not None and pixels > task.max_pixels:
        raise InvalidImageError(f"{name_image(array)}: {pixels} pixels, the server takes {task.max_pixels}")


def _check_file(path: Path) -> None:
    try:
        size_bytes = path.stat().st_size
    except OSError as error:
        raise InvalidImageError(f"{path}: cannot be read ({error.strerror})") from error
    except ValueError as error:
        raise InvalidImageError(f"{str(path)!r}: is no name of a file ({error})") from error
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
