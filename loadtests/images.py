"""The encoded files that are sent. They are read once and never decoded: decoding is the server's work."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from loadtests.errors import NoImagesError

SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".tif", ".tiff", ".gif"})
# Enough variety to defeat a cache, few enough to keep in memory.
MAX_IMAGES = 256


def find_images(folders: Sequence[str]) -> tuple[Path, ...]:
    """The image files directly in the folders, sorted by name, at most MAX_IMAGES of each. Raises NoImagesError."""
    if not folders:
        raise NoImagesError("there is nothing to send: give --images a folder of encoded images.")
    return tuple(path for folder in folders for path in _in_folder(Path(folder)))


def _in_folder(folder: Path) -> list[Path]:
    if not folder.is_dir():
        raise NoImagesError(f"{folder} is no folder: give --images a folder of encoded images.")
    found = sorted(path for path in folder.iterdir() if path.suffix.lower() in SUFFIXES and path.is_file())
    if not found:
        raise NoImagesError(
            f"{folder} holds no image ({', '.join(sorted(SUFFIXES))}): give --images a folder that does."
        )
    return found[:MAX_IMAGES]


def choose_images(paths: Sequence[Path], count: int, seed: int) -> NDArray[np.int32]:
    """Which image each of `count` requests carries, as places in `paths`; int32 [count]. They take turns."""
    del seed
    return (np.arange(count) % len(paths)).astype(np.int32)


def read_payload(path: Path) -> NDArray[np.object_]:
    """One encoded file as a BYTES tensor: shape [1], dtype object, the element of type bytes."""
    return np.array([path.read_bytes()], dtype=np.object_)
