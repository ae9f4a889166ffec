"""Classified pictures, a folder a class, with the naming of the public four-class eye disease set."""

import re
from collections import Counter
from functools import partial
from pathlib import Path

from tasks import Kind, TaskSpec
from training.errors import DataError
from training.samples import Labelled, Sample
from training.sources.layout import OnProgress, Reading, Source, counted
from training.sources.pictures import digest_of, labelled, pictures

_AUGMENTED = re.compile(r"_\d+_\d+")
_EYE = re.compile(r"(\d+)[_-]?(?:left|right|l|r)", re.IGNORECASE)


def read(root: Path, task: TaskSpec, on_progress: OnProgress | None = None) -> Reading:
    """Return its samples.

    `<number>_left` and `<number>_right` are one patient, in whatever class; a file named otherwise is a subject of its
    own. `.jpeg` files come from another collection than the others: their numbers name other people. Files named
    `_<index>_<hash>.jpg` are distorted copies of others, which would stand on both sides of a split: left out.

    Raises:
        DataError: the folder of a class is missing or empty.
    """
    found = [(image, label) for label in range(len(task.classes)) for image in _class_files(root, task, label)]
    originals = [(image, label) for image, label in found if not _AUGMENTED.fullmatch(image.stem)]
    stems = Counter((label, image.stem) for image, label in originals)
    samples = [
        _sample(image, label, task, unique=stems[label, image.stem] == 1)
        for image, label in counted(originals, on_progress)
    ]
    return Reading(samples, _remarks(root, task, len(found) - len(originals)))


def _sample(image: Path, label: int, task: TaskSpec, *, unique: bool) -> Sample:
    name = f"{task.classes[label].name}_{image.stem}"
    return Sample(
        name=name if unique else f"{name}_{image.suffix.lower()[1:]}",
        subject=subject_of(image),
        digest=digest_of(image, label=task.classes[label].name),
        read=partial(_read_labelled, image, task),
        label=label,
    )


def subject_of(image: Path) -> str:
    """Return whose picture it is; see `read`."""
    eye = _EYE.fullmatch(image.stem)
    if not eye:
        return f"{image.parent.name}/{image.name}"
    return f"{eye[1]}.jpeg" if image.suffix.lower() == ".jpeg" else eye[1]


def _read_labelled(image: Path, task: TaskSpec) -> Labelled:
    return labelled(image, task.limits)


def _class_files(root: Path, task: TaskSpec, label: int) -> list[Path]:
    files = pictures(root / task.classes[label].name)
    if not files:
        names = ", ".join(info.name for info in task.classes)
        raise DataError(f"{root / task.classes[label].name} is missing or has no pictures; {task.name} needs {names}")
    return files


def _remarks(root: Path, task: TaskSpec, augmented: int) -> tuple[str, ...]:
    foreign = sorted({path.name for path in root.iterdir() if path.is_dir()} - {info.name for info in task.classes})
    remarks = []
    if augmented:
        remarks.append(f"{augmented} files named _<index>_<hash> are pre-made augmentations of others: left out")
    if foreign:
        remarks.append(f"folders that are no class of {task.name}: left out: {', '.join(foreign)}")
    return tuple(remarks)


def _recognises(root: Path) -> bool:
    """Whether some folder holds pictures directly; which classes there must be is the task's word, said in `read`."""
    return any(pictures(folder) for folder in root.iterdir() if folder.is_dir())


CLASS_FOLDERS = Source(
    kind=Kind.CLASSIFICATION,
    expects="<class>/<picture>, a folder for each of the task's classes",
    recognises=_recognises,
    read=read,
    licence="the public eye disease set: ODbL 1.0; its parts have terms of their own",
)
