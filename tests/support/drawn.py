"""Drawn folders in published layouts, for the tests of what reads them."""

import gzip
import shutil
from pathlib import Path

import numpy as np
from PIL import Image


def draw_drive(root: Path) -> Path:
    """A folder in DRIVE's official layout."""
    for part, numbers in (("training", range(21, 27)), ("test", range(1, 4))):
        for folder in ("images", "1st_manual", "mask"):
            (root / part / folder).mkdir(parents=True)
        for number in numbers:
            name = f"{number:02d}_{part}"
            rng = np.random.default_rng(number)
            Image.fromarray(rng.integers(0, 256, (60, 64, 3), np.uint8)).save(root / part / "images" / f"{name}.tif")
            mask = Image.fromarray(255 * rng.integers(0, 2, (60, 64), np.uint8))
            mask.save(root / part / "1st_manual" / f"{number:02d}_manual1.gif")
            mask.save(root / part / "mask" / f"{name}_mask.gif")
    return root


def draw_stare(root: Path, count: int = 3, *, compressed: bool = True, unlabelled: int = 1) -> Path:
    """A folder in STARE's layout."""
    (root / "stare-images").mkdir(parents=True)
    (root / "labels-ah").mkdir()
    for number in range(1, count + unlabelled + 1):
        rng = np.random.default_rng(number)
        image = root / "stare-images" / f"im{number:04d}.ppm"
        Image.fromarray(rng.integers(0, 256, (50, 60, 3), np.uint8)).save(image)
        files = [image]
        if number <= count:
            files.append(root / "labels-ah" / f"im{number:04d}.ah.ppm")
            Image.fromarray(255 * rng.integers(0, 2, (50, 60), np.uint8)).convert("RGB").save(files[-1])
        if compressed:
            for file in files:
                file.with_name(f"{file.name}.gz").write_bytes(gzip.compress(file.read_bytes()))
                file.unlink()
    return root


def copy_of(folder: Path, to: Path) -> Path:
    """A copy that a test may spoil."""
    return Path(shutil.copytree(folder, to))
