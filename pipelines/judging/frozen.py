"""The frozen test set: labelled pictures that no model learns from, sealed, and the slices they are judged by.

held_out/          as `tasks.held_out` lays it out
slices.json        slice → names of its pictures; a picture may be in several
subjects.json      names of the subjects in it, whom no challenger may have been trained on
SHA256SUMS         seals all of it
"""

import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from pipelines.errors import PipelineError
from tasks import Kind, TaskSpec, get_task
from tasks.checksums import verify_checksums, write_checksums
from tasks.errors import ChecksumError, ImageError, TaskError
from tasks.held_out import FOLDER, HeldOut, read_held_out, read_subjects
from tasks.imaging import decode

SLICES, SUBJECTS = "slices.json", "subjects.json"
_THIRDS = ("dark", "medium", "bright")


@dataclass(frozen=True)
class FrozenSet:
    """Labelled pictures of a task.

    Attributes:
        task: theirs.
        pictures: sorted by name.
        slices: slice → names of its pictures, each at least one.
        subjects: whom no challenger may know; empty where nobody said.
        subject_of: picture → whom it is of; itself where nobody said.
        digest: of all files.
        images: folder of the encoded pictures.
    """

    task: TaskSpec
    pictures: Sequence[HeldOut]
    slices: Mapping[str, Sequence[str]]
    subjects: frozenset[str]
    subject_of: Mapping[str, str]
    digest: str
    images: Path


def freeze(model: Path, to: Path, own_slices: Path | None = None) -> FrozenSet:
    """Make a test set of a model folder's held-out pictures, in a folder that is not there yet, and return it.

    Slices are the classes of a classification, thirds by brightness, where cameras and exposures differ, and those of
    `own_slices`, a JSON file of slice → names of pictures.

    Raises:
        PipelineError: `to` exists, the model folder has no held-out pictures, or a slice names none of them.
    """
    if to.exists():
        raise PipelineError(f"{to} exists; a frozen test set is made once, so name another folder with --to")
    partial = to.with_name(f".{to.name}.partial")
    try:
        card = json.loads((model / "model.json").read_text())
        task = get_task(card["task"])
        shutil.rmtree(partial, ignore_errors=True)
        shutil.copytree(model / FOLDER, partial / FOLDER, ignore=shutil.ignore_patterns("probability"))
        _write(partial / "task.json", {"task": task.name})
        own = json.loads(own_slices.read_text()) if own_slices else {}
        pictures = read_held_out(partial, task)
        _check_slices(own, {picture.name for picture in pictures}, own_slices)
        _write(partial / SLICES, slices_of(pictures, task) | own)
        known = read_subjects(partial).values()
        _write(partial / SUBJECTS, sorted({*known, *card["subjects"].get("held_out", [])}))
        write_checksums(partial)
        partial.rename(to)
    except (OSError, ValueError, KeyError, TaskError, ImageError) as error:
        raise PipelineError(f"no test set can be made of {model}: {error}") from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return read_frozen(to)


def read_frozen(folder: Path) -> FrozenSet:
    """Return the test set in `folder`.

    Raises:
        PipelineError: it is not what was frozen, or not readable.
    """
    try:
        digest = verify_checksums(folder)
        task = get_task(json.loads((folder / "task.json").read_text())["task"])
        pictures = read_held_out(folder, task)
        slices = json.loads((folder / SLICES).read_text())
        subjects = frozenset(json.loads((folder / SUBJECTS).read_text()))
        known = read_subjects(folder)
    except (ChecksumError, ImageError, TaskError, OSError, ValueError, KeyError) as error:
        raise PipelineError(
            f"{folder} is no frozen test set ({error}); make one with `python -m pipelines freeze`"
        ) from error
    _check_slices(slices, {picture.name for picture in pictures}, folder / SLICES)
    subject_of = {picture.name: known.get(picture.name, picture.name) for picture in pictures}
    return FrozenSet(task, pictures, slices, subjects, subject_of, digest, folder / FOLDER / "images")


def slices_of(pictures: Sequence[HeldOut], task: TaskSpec) -> dict[str, list[str]]:
    """Return the slices that any test set has: thirds by mean brightness, and the classes of a classification."""
    brightness = [float(decode(picture.image.read_bytes(), task.limits).mean()) for picture in pictures]
    ordered = [pictures[index].name for index in np.argsort(brightness, kind="stable")]
    thirds = zip(_THIRDS, np.array_split(ordered, len(_THIRDS)), strict=True)
    slices = {name: [str(each) for each in members] for name, members in thirds if len(members)}
    if task.kind is Kind.CLASSIFICATION:
        for picture in pictures:
            slices.setdefault(task.classes[int(picture.truth)].name, []).append(picture.name)
    return slices


def _check_slices(slices: Any, names: set[str], file: Path | None) -> None:
    right = isinstance(slices, dict) and all(_is_slice(members, names) for members in slices.values())
    if not right:
        raise PipelineError(f"{file} must give slice → names of pictures of the test set, at least one in each")


def _is_slice(members: Any, names: set[str]) -> bool:
    return isinstance(members, list) and bool(members) and {str(member) for member in members} <= names


def _write(path: Path, content: object) -> None:
    path.write_text(json.dumps(content, indent=1, sort_keys=True) + "\n")
