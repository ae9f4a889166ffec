"""What the sampled answers are held to: masks or labels of a folder, or the server's own answers before the load.

Read here or asked by `rehearsal`, once, before the first request is due; handed to the generator as one file.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from fovea_client.task import TaskInfo
from numpy.typing import NDArray
from PIL import Image

from loadtests.errors import NoExpectationError

EXPECTED_FILE = "expected.npz"
LABELS_FILE = "labels.json"
# A published mask of two classes is drawn in black and white.
WHITE = 255

Answers = Mapping[int, NDArray[Any]]
"""By the image's number: a mask, uint8 [H, W] of class indices, or a label, int32 [1], or any array to be equal to."""


@dataclass(frozen=True, eq=False)
class Expected:
    """What the generator compares with: answers, about one request in `sample_every`, correct from `agreement` on.

    `own` answers are the server's: one that differs from them is an error. One that differs from an expert's is not,
    networks err; how often is for `correct_ratio` to say.
    """

    answers: Answers
    sample_every: int
    agreement: float
    own: bool = True

    def save(self, folder: Path) -> None:
        """Write it below `folder`, for `load`."""
        arrays = {str(image): array for image, array in self.answers.items()}
        np.savez(
            folder / EXPECTED_FILE, sample_every=self.sample_every, agreement=self.agreement, own=self.own, **arrays
        )

    @classmethod
    def load(cls, folder: Path) -> "Expected":
        """What `save` wrote; without answers where there is no such file."""
        path = folder / EXPECTED_FILE
        if not path.exists():
            return cls({}, 1, 0.0)
        with np.load(path, allow_pickle=False) as arrays:
            answers = {int(name): arrays[name] for name in arrays.files if name.isdigit()}
            return cls(answers, int(arrays["sample_every"]), float(arrays["agreement"]), bool(arrays["own"]))


def read_expected(source: Path, images: Sequence[int], paths: Sequence[Path], task: TaskInfo) -> Answers:
    """What a folder of masks `<image's name>.png`, or a labels.json, says of each of `images`; some may be missing.

    `paths` are the image files by number. Raises NoExpectationError when a file cannot be read as the task's classes,
    or none of the images is in it.
    """
    labels = source / LABELS_FILE if source.is_dir() else source
    if not source.exists():
        raise NoExpectationError(f"{source} does not exist: give --expected a folder of masks or a {LABELS_FILE}.")
    found = _read_labels(labels, images, paths, task) if labels.is_file() else {}
    if not labels.is_file():
        masks = {image: source / f"{paths[image].stem}.png" for image in images}
        found = {image: read_mask(path, task) for image, path in masks.items() if path.is_file()}
    if not found:
        raise NoExpectationError(
            f"{source} says nothing of the images that are compared, such as {paths[images[0]].name}: "
            "name masks as images, with the ending .png."
        )
    return found


def read_mask(path: Path, task: TaskInfo) -> NDArray[np.uint8]:
    """Class indices, uint8 [H, W], from a PNG of indices, of black and white, or of the colours of the classes.

    Raises NoExpectationError.
    """
    try:
        with Image.open(path, formats=["PNG"]) as picture:
            pixels = np.array(picture if picture.mode in ("L", "P", "1") else picture.convert("RGB"))
    except (OSError, ValueError, Image.DecompressionBombError) as error:
        raise NoExpectationError(f"{path} cannot be read as a PNG ({error}): correct what --expected holds.") from None
    mask = _from_colours(pixels, task) if pixels.ndim == 3 else _from_levels(pixels, task)
    if mask.max(initial=0) >= len(task.classes):
        raise NoExpectationError(
            f"{path} names class {mask.max()} and {task.name} has {len(task.classes)}: correct what --expected holds."
        )
    return mask


def _from_colours(pixels: NDArray[np.uint8], task: TaskInfo) -> NDArray[np.uint8]:
    mask = np.full(pixels.shape[:2], WHITE, np.uint8)
    for info in task.classes:
        mask[(pixels == np.array(info.colour, np.uint8)).all(axis=2)] = info.index
    return mask


def _from_levels(pixels: NDArray[Any], task: TaskInfo) -> NDArray[np.uint8]:
    black_and_white = len(task.classes) == 2 and pixels.max(initial=0) == WHITE
    return (pixels > WHITE // 2 if black_and_white else pixels).astype(np.uint8)


def _read_labels(path: Path, images: Sequence[int], paths: Sequence[Path], task: TaskInfo) -> Answers:
    try:
        labels = json.loads(path.read_text(encoding="utf-8"))
        named = {image: str(labels[paths[image].stem]) for image in images if paths[image].stem in labels}
    except (OSError, ValueError, TypeError) as error:
        raise NoExpectationError(f"{path} cannot be read ({error}): give --expected image names to labels.") from None
    numbers = {info.name: info.index for info in task.classes}
    for image, name in named.items():
        if name not in numbers:
            raise NoExpectationError(
                f"{path} calls {paths[image].name} {name!r}, which is no class of {task.name} ({', '.join(numbers)})."
            )
    return {image: np.array([numbers[name]], np.int32) for image, name in named.items()}
