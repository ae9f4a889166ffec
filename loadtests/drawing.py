"""Pictures to send on a machine that has none: `synthetic:N[,sizes=512+1024][,formats=jpg+png+tif]`.

Drawing is `python -m training synthesise`'s work, asked for as the program that it is; here its pictures are only
copied into one folder, in the sizes and formats that were asked for. What is there already is not drawn again.
"""

import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from loadtests.errors import NoImagesError
from loadtests.images import SUFFIXES, ImageSource

PREFIX = "synthetic:"
FORMATS = {"jpg": "JPEG", "png": "PNG", "tif": "TIFF", "gif": "GIF"}
# What the data sets call the folders of their labels.
LABEL_FOLDERS = frozenset({"1st_manual", "mask", "masks"})
MAX_COUNT = 256
SYNTAX = f"{PREFIX}N[,sizes=PX+PX…][,formats={'+'.join(FORMATS)}]"


@dataclass(frozen=True)
class Drawing:
    """What to draw. No `sizes_px` or `formats`: as the task's synthetic data set has them."""

    count: int
    sizes_px: tuple[int, ...] = ()
    formats: tuple[str, ...] = ()

    @classmethod
    def parse(cls, text: str) -> "Drawing":
        """Read SYNTAX. Raises NoImagesError."""
        number, *options = text.removeprefix(PREFIX).split(",")
        given = dict(option.partition("=")[::2] for option in options)
        sizes, formats = given.pop("sizes", ""), given.pop("formats", "")
        wrong = bool(given) or not re.fullmatch(r"[1-9]\d{0,3}", number) or not re.fullmatch(r"[\d+]*", sizes)
        chosen = tuple(name for name in formats.split("+") if name)
        if wrong or int(number) > MAX_COUNT or not set(chosen) <= set(FORMATS):
            raise NoImagesError(f"--images {text} cannot be read: write {SYNTAX}, N at most {MAX_COUNT}.")
        return cls(int(number), tuple(int(size) for size in sizes.split("+") if size), chosen)


def resolve_images(words: Sequence[str], task: str, build: Path) -> tuple[str, ...]:
    """The same `--images` words with folders in place of what was to be drawn, which is drawn below `build`.

    Raises NoImagesError.
    """
    return tuple(_resolve(ImageSource.parse(word), word, task, build) for word in words)


def _resolve(source: ImageSource, word: str, task: str, build: Path) -> str:
    if not source.text.startswith(PREFIX):
        return word
    drawing = Drawing.parse(source.text)
    name = hashlib.sha256(f"{task} {drawing}".encode()).hexdigest()[:12]
    folder = build / f"{task}-{name}"
    if not folder.is_dir():
        draw(drawing, task, folder)
    return f"{folder}@{source.weight:g}"


def draw(drawing: Drawing, task: str, folder: Path) -> None:
    """Make `folder` with the drawn pictures, whole or not at all. Raises NoImagesError where drawing fails."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".drawing-") as scratch:
        drawn = [_drawn(task, Path(scratch), drawing.count, size) for size in drawing.sizes_px or (None,)]
        (kept := Path(scratch) / "kept").mkdir()
        for number in range(drawing.count):
            of_size = drawn[number % len(drawn)]
            # A size's pictures take the formats in turn, whatever the number of sizes.
            turn = number // len(drawn)
            chosen = drawing.formats[turn % len(drawing.formats)] if drawing.formats else None
            _keep(of_size[turn % len(of_size)], kept, number, chosen)
        kept.rename(folder)


def _drawn(task: str, scratch: Path, count: int, size_px: int | None) -> list[Path]:
    root = scratch / str(size_px)
    words = ["--task", task, "--root", str(root), "--subjects", str(max(8, min(count, 16)))]
    words += ["--size-px", str(size_px)] if size_px else []
    done = subprocess.run(
        [sys.executable, "-m", "training", "synthesise", *words],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "CUDA_VISIBLE_DEVICES": ""},
    )
    pictures = sorted(p for p in root.rglob("*") if p.suffix in SUFFIXES and p.parent.name not in LABEL_FOLDERS)
    if done.returncode or not pictures:
        last = [line for line in (done.stdout + done.stderr).splitlines() if line.strip()][-1:]
        raise NoImagesError(f"no picture for {task} could be drawn: {' '.join(last)}")
    return pictures


def _keep(picture: Path, folder: Path, number: int, suffix: str | None) -> None:
    if suffix is None:
        shutil.copyfile(picture, folder / f"{number:03}{picture.suffix}")
        return
    with Image.open(picture) as image:
        image.convert("RGB").save(folder / f"{number:03}.{suffix}", FORMATS[suffix])
