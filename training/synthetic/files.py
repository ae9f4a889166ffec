"""How a drawn data set lies on disk: whole files only, a marker that says what decided them, no mixing with others."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from training.synthetic.dataset import MARKER, write_atomically

OnProgress = Callable[[int, int], None]


@dataclass(frozen=True)
class Picture:
    """The files of one picture and the function that draws and saves them; a path is given to it for each file."""

    paths: tuple[Path, ...]
    save: Callable[[tuple[Path, ...]], None]


def write_pictures(
    root: Path, pictures: Sequence[Picture], parameters: dict[str, object], on_progress: OnProgress | None
) -> Path:
    """Return `root`, now holding the pictures. What is there already is not drawn again.

    Raises:
        FileExistsError: `root` holds something else than a data set of these parameters.
    """
    _claim(root, parameters)
    for done, picture in enumerate(pictures, 1):
        if not all(path.exists() for path in picture.paths):
            _save(picture)
        if on_progress:
            on_progress(done, len(pictures))
    return root


def check_arguments(subjects: int, least: int, seed: int, size_px: int, smallest_px: int) -> None:
    """Raise ValueError for arguments that make no data set."""
    if subjects < least:
        raise ValueError(f"subjects must be at least {least}, or no split by subject is possible; got {subjects}")
    if seed < 0:
        raise ValueError(f"seed must be 0 or more, not {seed}")
    if size_px < smallest_px:
        raise ValueError(f"size_px must be at least {smallest_px}, got {size_px}")


def _claim(root: Path, parameters: dict[str, object]) -> None:
    marker, text = root / MARKER, json.dumps(parameters, indent=2) + "\n"
    if root.exists() and any(root.iterdir()) and not (marker.is_file() and marker.read_text() == text):
        raise FileExistsError(f"{root} is not empty and not this synthetic data set: choose an empty folder")
    root.mkdir(parents=True, exist_ok=True)
    if not marker.is_file():
        write_atomically(marker, partial(_write_text, text))


def _write_text(text: str, path: Path) -> None:
    path.write_text(text)


def _save(picture: Picture) -> None:
    """Save all files beside their places, then move them: a picture is never there without its mask."""
    parts = tuple(path.with_name(f".{path.stem}.part{path.suffix}") for path in picture.paths)
    for path in picture.paths:
        path.parent.mkdir(parents=True, exist_ok=True)
    try:
        picture.save(parts)
        for part, path in zip(parts, picture.paths, strict=True):
            part.replace(path)
    finally:
        for part in parts:
            part.unlink(missing_ok=True)
