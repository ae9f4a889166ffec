"""A synthetic data set on disk in the folder layout of CHASE_DB1, so that whatever reads the real one reads this.

    images/Image_01L.jpg   1st_manual/Image_01L_1stHO.png   mask/Image_01L.gif   (and 01R, 02L, ...)

Every file says in its own comment which picture it is. That is how an interrupted run is completed, why nothing is
written twice, and what keeps real photographs in the same folder from being overwritten.
"""

import json
import os
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, PngImagePlugin, UnidentifiedImageError

from training.synthetic.fundus import SMALLEST_PX, Eye, Fundus, generate_fundus

MARKER = "synthetic.json"
GENERATOR_VERSION = 1
"""Raised whenever the same seed gives another picture."""
JPEG_QUALITY = 92
EYES: tuple[Eye, ...] = ("L", "R")


@dataclass(frozen=True)
class _Parameters:
    """What decides every byte of a data set; kept in its marker."""

    subjects: int
    seed: int
    size_px: int
    generator: int = GENERATOR_VERSION


@dataclass(frozen=True)
class _Picture:
    """One eye of one subject, its three files and the comment that identifies them."""

    root: Path
    subject: int
    eye: Eye
    parameters: _Parameters

    @property
    def paths(self) -> tuple[Path, Path, Path]:
        """Photograph, vessels and field of view."""
        stem = f"Image_{self.subject:02d}{self.eye}"
        manual = self.root / "1st_manual" / f"{stem}_1stHO.png"
        return self.root / "images" / f"{stem}.jpg", manual, self.root / "mask" / f"{stem}.gif"

    @property
    def stamp(self) -> str:
        """Names generator, seed, subject, eye and size: equal stamps mean equal pictures."""
        made = self.parameters
        which = f"seed={made.seed} subject={self.subject} eye={self.eye} size_px={made.size_px}"
        return f"fovea synthetic fundus, generator={made.generator} {which}"

    def generate(self) -> Fundus:
        """The picture; subjects of one data set, and of data sets with other seeds, have nothing in common."""
        made = self.parameters
        seed = int(np.random.SeedSequence([made.seed, self.subject]).generate_state(1, np.uint64)[0])
        return generate_fundus(seed, size_px=made.size_px, eye=self.eye)


def write_dataset(
    root: Path,
    *,
    subjects: int,
    seed: int = 0,
    size_px: int = 640,
    on_progress: Callable[[int, int], None] | None = None,
) -> Path:
    """`root`, now holding both eyes of `subjects` people, photographs and masks of `size_px` pixels square.

    Photographs are JPEG, masks hold 0 and 255. Each file appears whole or not at all. Calling again with the same
    arguments writes nothing; after an interruption it writes what is missing; with more subjects it adds them.
    `on_progress(done, total)` is called after each picture, written or found.

    Raises:
        ValueError: fewer than 2 subjects (a split by subject needs two), a negative seed or a size below 128 pixels.
        FileExistsError: `root` holds pictures that are not part of this very data set; they stay as they are.
    """
    _check(subjects, seed, size_px)
    parameters = _Parameters(subjects, seed, size_px)
    pictures = [_Picture(root, subject, eye, parameters) for subject in range(1, subjects + 1) for eye in EYES]
    _refuse_strangers(root, pictures)
    complete = _is_complete(root, pictures)
    for done, picture in enumerate(pictures, 1):
        if not complete:
            _write_missing(picture)
        if on_progress:
            on_progress(done, len(pictures))
    if not complete:
        write_atomically(root / MARKER, lambda path: _write_marker(path, parameters))
    return root


def _check(subjects: int, seed: int, size_px: int) -> None:
    if subjects < 2:
        raise ValueError(f"subjects must be at least 2, or no split by subject is possible; got {subjects}")
    if seed < 0:
        raise ValueError(f"seed must be 0 or more, not {seed}")
    if size_px < SMALLEST_PX:
        raise ValueError(f"size_px must be at least {SMALLEST_PX}: thin vessels vanish below, got {size_px}")


def _refuse_strangers(root: Path, pictures: list[_Picture]) -> None:
    """Raise FileExistsError for the first picture in `root` that this data set would overwrite or be mixed with."""
    stamps = {path: picture.stamp for picture in pictures for path in picture.paths}
    for folder in ("images", "1st_manual", "mask"):
        for path in sorted((root / folder).glob("Image_*")):
            if path not in stamps or _read_stamp(path) != stamps[path]:
                raise FileExistsError(f"{path} is not part of this synthetic data set: choose an empty folder")


def _read_stamp(path: Path) -> str:
    """The comment in an image file, empty where it has none or is no image."""
    try:
        with Image.open(path) as image:
            comment = image.info.get("comment") or image.info.get("Comment") or ""
    except UnidentifiedImageError:
        return ""
    return comment.decode("utf-8", "replace") if isinstance(comment, bytes) else str(comment)


def _is_complete(root: Path, pictures: list[_Picture]) -> bool:
    """Whether the marker names these parameters and every file is there."""
    try:
        found = json.loads((root / MARKER).read_text())
    except (FileNotFoundError, json.JSONDecodeError):
        return False
    return bool(found == asdict(pictures[0].parameters)) and all(path.exists() for path in _all_paths(pictures))


def _all_paths(pictures: list[_Picture]) -> Iterator[Path]:
    for picture in pictures:
        yield from picture.paths


def _write_missing(picture: _Picture) -> None:
    """Write those of a picture's files that are not there yet."""
    missing = [path for path in picture.paths if not path.exists()]
    if not missing:
        return
    fundus = picture.generate()
    masks = [mask.astype(np.uint8) * np.uint8(255) for mask in (fundus.vessels, fundus.field_of_view)]
    pixels = dict(zip(picture.paths, (fundus.image, *masks), strict=True))
    for path in missing:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(path, _saver(pixels[path], path.suffix, picture.stamp))


def _saver(pixels: NDArray[np.uint8], suffix: str, stamp: str) -> Callable[[Path], None]:
    """A function that saves `pixels` in the format of `suffix`, with `stamp` as the file's comment."""
    text = PngImagePlugin.PngInfo()
    text.add_text("Comment", stamp)
    options: dict[str, dict[str, Any]] = {
        ".jpg": {"format": "JPEG", "quality": JPEG_QUALITY, "comment": stamp},
        ".png": {"format": "PNG", "optimize": True, "pnginfo": text},
        ".gif": {"format": "GIF", "comment": stamp},
    }
    return lambda path: Image.fromarray(pixels).save(path, **options[suffix])


def write_atomically(path: Path, save: Callable[[Path], None]) -> None:
    """Let `save` write a file beside `path`, then move it into place; nothing is left behind on failure."""
    # The suffix keeps what a killed process leaves behind from being read as a picture.
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}-", suffix=".part")
    os.close(handle)
    try:
        save(Path(name))
        # mkstemp makes files private; a data set is read by others, the training containers among them.
        Path(name).chmod(0o644)
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def _write_marker(path: Path, parameters: _Parameters) -> None:
    path.write_text(json.dumps(asdict(parameters), indent=2) + "\n")
