"""The held-out pictures of a model folder: what training judged offline, export compares on and serving is held to.

held_out/images/<name>.*            the encoded picture as published
         truth/<name>.png           segmentation: class indices, in the task's colours for whoever opens it
         field_of_view/<name>.png   0 or 255; absent where the set publishes none
         labels.json                classification: picture → the class's name
         subjects.json              picture → whom it is of
         probability/<name>.png     segmentation: what the network answered offline, for people to look at
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from tasks.errors import ImageError, TaskError
from tasks.imaging import decode
from tasks.spec import Kind, TaskSpec

FOLDER = "held_out"
LABELS = "labels.json"
SUBJECTS = "subjects.json"


@dataclass(frozen=True)
class HeldOut:
    """A picture that no training saw, and what an expert says of it.

    Attributes:
        name: of the picture.
        image: the encoded file as published.
        truth: uint8 class indices: (height, width) of a segmentation, () of a classification.
        judged: bool, truth's shape: what metrics count, inside the published field of view and not `unlabeled`.
    """

    name: str
    image: Path
    truth: npt.NDArray[np.uint8]
    judged: npt.NDArray[np.bool_]


def read_held_out(model: Path, task: TaskSpec) -> list[HeldOut]:
    """Return the held-out pictures of a model folder, sorted by name.

    Raises:
        ImageError: there are none, or one has no readable truth.
    """
    folder = model / FOLDER
    images = sorted((folder / "images").glob("*"))
    if not images:
        raise ImageError(f"there are no held-out pictures in {folder}; train again, they belong to the model folder")
    if task.kind is Kind.CLASSIFICATION:
        labels = _read_json(folder / LABELS)
        return [_labelled(image, labels, task) for image in images]
    return [_segmented(image, folder, task) for image in images]


def read_subjects(model: Path) -> dict[str, str]:
    """Return picture → subject of a model folder's held-out pictures; empty where nobody wrote it down.

    Raises:
        ImageError: the file is not readable.
    """
    path = model / FOLDER / SUBJECTS
    return {name: str(subject) for name, subject in _read_json(path).items()} if path.exists() else {}


def judged_pixels(
    truth: npt.NDArray[np.uint8], field_of_view: npt.NDArray[np.bool_] | None, task: TaskSpec
) -> npt.NDArray[np.bool_]:
    """Return what metrics count: bool of truth's shape, inside the field of view and not `unlabeled`."""
    inside = np.ones(truth.shape, np.bool_) if field_of_view is None else field_of_view
    return np.asarray(inside & (truth > 0)) if task.unlabeled else inside


def save_classes(path: Path, mask: npt.NDArray[np.uint8], task: TaskSpec) -> None:
    """Write class indices, uint8 (height, width), as a palette PNG that a viewer shows in the task's colours."""
    picture = Image.fromarray(mask, mode="P")
    picture.putpalette([level for info in task.classes for level in info.colour])
    picture.save(path)


def read_classes(path: Path, task: TaskSpec) -> npt.NDArray[np.uint8]:
    """Return the class indices that `save_classes` wrote, uint8 (height, width).

    Raises:
        ImageError: not a readable PNG of indices, or an index names no class of the task.
    """
    mask = _read_plane(path)
    if int(mask.max(initial=0)) >= len(task.classes):
        raise ImageError(f"{path} names class {int(mask.max())} and {task.name} has {len(task.classes)}; train again")
    return mask


def read_mask(path: Path) -> npt.NDArray[np.bool_]:
    """Return a published mask as bool (height, width): brighter than half is set, whatever the file's palette.

    Raises:
        ImageError: the file is not a readable picture.
    """
    try:
        return np.asarray(decode(path.read_bytes())[:, :, 0] >= 128)
    except (ImageError, OSError) as error:
        raise ImageError(f"mask {path} cannot be read: {error}") from error


def _segmented(image: Path, folder: Path, task: TaskSpec) -> HeldOut:
    truth = read_classes(folder / "truth" / f"{image.stem}.png", task)
    published = folder / "field_of_view" / f"{image.stem}.png"
    view = read_mask(published) if published.is_file() else None
    if view is not None and view.shape != truth.shape:
        raise ImageError(f"{published} has the shape {view.shape} and its truth {truth.shape}; train again")
    return HeldOut(image.stem, image, truth, judged_pixels(truth, view, task))


def _labelled(image: Path, labels: dict[str, Any], task: TaskSpec) -> HeldOut:
    names = [info.name for info in task.classes]
    if labels.get(image.stem) not in names:
        raise ImageError(f"{LABELS} calls {image.name} {labels.get(image.stem)!r}, which is no class of {task.name}")
    truth = np.array(names.index(labels[image.stem]), np.uint8)
    return HeldOut(image.stem, image, truth, judged_pixels(truth, None, task))


def _read_plane(path: Path) -> npt.NDArray[np.uint8]:
    try:
        with Image.open(path, formats=["PNG"]) as picture:
            if picture.mode not in ("P", "L"):
                raise TaskError(f"its mode is {picture.mode}, not one byte a pixel")
            return np.array(picture, dtype=np.uint8)
    except (TaskError, OSError, ValueError) as error:
        raise ImageError(f"{path} cannot be read ({error}); train again, it belongs to the model folder") from error


def _read_json(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise ImageError(f"{path} cannot be read ({error}); train again, it belongs to the model folder") from error
    return content if isinstance(content, dict) else {}
