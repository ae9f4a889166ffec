"""The encoded files that are sent. They are read once and never decoded: decoding is the server's work."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from loadtests.errors import NoImagesError

SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".tif", ".tiff", ".gif"})
# Enough variety to defeat a cache, few enough to keep in memory.
MAX_IMAGES = 256


def find_images(folder: Path) -> tuple[Path, ...]:
    """The image files directly in `folder`, sorted by name, at most MAX_IMAGES. Raises NoImagesError."""
    if not folder.is_dir():
        raise NoImagesError(f"{folder} is no folder: give --images a folder of encoded images.")
    found = sorted(path for path in folder.iterdir() if path.suffix.lower() in SUFFIXES and path.is_file())
    if not found:
        raise NoImagesError(
            f"{folder} holds no image ({', '.join(sorted(SUFFIXES))}): give --images a folder that does."
        )
    return tuple(found[:MAX_IMAGES])


def read_payload(path: Path) -> NDArray[np.object_]:
    """One encoded file as a BYTES tensor: shape [1], dtype object, the element of type bytes."""
    return np.array([path.read_bytes()], dtype=np.object_)
