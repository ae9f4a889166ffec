"""Which image files a command is about: files as they are named, directories with all below them."""

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from fovea_client.errors import OutputError

_SUFFIXES = (".jpg", ".jpeg", ".png", ".tif", ".tiff", ".gif")


def is_image_name(path: Path) -> bool:
    """Whether a file of that name is taken for an image where a directory is named."""
    return path.suffix.lower() in _SUFFIXES


@dataclass(frozen=True, slots=True)
class Named:
    """An image file and the folder, relative to where results go, that its results are put in."""

    image: Path
    folder: Path


def find_images(given: Sequence[Path], out: Path | None = None) -> list[Named]:
    """Every file that is named, and every image below a directory that is named, in order; hidden files are left out.

    Args:
        given: files, taken whatever they are called and whether or not they exist, and directories.
        out: where results go; what lies below it is not taken for an image.

    Raises:
        OutputError: a directory holds no image, or is itself where results go.
    """
    found: list[Named] = []
    for path in given:
        # Unlike Path.is_dir it takes a name that is too long or may not be looked at for a file, which fails by itself.
        below = list(_below(path, out)) if os.path.isdir(path) else [Named(path, Path())]  # noqa: PTH112
        if not below:
            raise OutputError(f"{path}: the directory holds no image ({', '.join(_SUFFIXES)})")
        found += below
    return found


def _below(directory: Path, out: Path | None) -> Iterator[Named]:
    results = None if out is None else out.resolve()
    if results == directory.resolve():
        raise OutputError(f"--out {out}: results among the images would be taken for images; choose another directory")
    for path in sorted(directory.rglob("*")):
        relative = path.relative_to(directory)
        hidden = any(part.startswith(".") for part in relative.parts)
        image = is_image_name(path) and path.is_file() and not hidden
        if image and (results is None or results not in path.resolve().parents):
            yield Named(path, relative.parent)
