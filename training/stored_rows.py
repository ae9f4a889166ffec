"""What a stored dataset records of a picture and of a version: rows and the digests that verify them."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from tasks import TaskSpec
from tasks.errors import ImageError
from tasks.imaging import decode
from training.errors import DataError
from training.samples import Labelled, Sample
from training.sources.pictures import encode_png

HELD_OUT_CODES: dict[bool | None, int] = {None: -1, False: 0, True: 1}
"""How `Sample.held_out` is stored: columns of numbers have no empty values."""


@dataclass(frozen=True)
class Version:
    """What is recorded with a version of a dataset.

    Attributes:
        tag: its name.
        task, source: whose labels, and the layout they were read from.
        classes: names, by class index.
        folds, seed: into how many groups the subjects were divided, and how they were shuffled.
        rows: how many pictures.
        data_digest: `training.sources.data_digest` of the rows.
        assignment_digest: over every row's name, subject, digest, label, fold and part of an official split.
        input_digest: over what was read and asked for; equal input writes no new version.
        report: what is worth knowing without opening it: balance of the folds, what was left out, duplicates.
    """

    tag: str
    task: str
    source: str
    classes: list[str]
    folds: int
    seed: int
    rows: int
    data_digest: str
    assignment_digest: str
    input_digest: str
    report: dict[str, Any]


def assignment_digest(samples: Sequence[Sample]) -> str:
    """Return the SHA-256 over everything that is known of the samples without their pixels."""
    rows = sorted([s.name, s.subject, s.digest, s.label, s.held_out, s.fold] for s in samples)
    return hashlib.sha256(json.dumps(rows).encode()).hexdigest()


def row_of(sample: Sample, task: TaskSpec) -> dict[str, object]:
    """Read a sample and return its row, column → value; the picture as PNG.

    Raises:
        DataError: it cannot be read.
    """
    content = sample.read()
    pixels = _decoded(content, sample.name, task)
    row: dict[str, object] = {"image": encode_png(pixels), "row_digest": _row_digest(sample, pixels, content)}
    row |= {"name": sample.name, "subject": sample.subject, "digest": sample.digest}
    row |= {"fold": sample.fold, "held_out": HELD_OUT_CODES[sample.held_out]}
    optional = {"label": sample.label, "mask": content.mask, "field_of_view": content.field_of_view}
    return row | {name: value for name, value in optional.items() if value is not None}


def _decoded(content: Labelled, name: str, task: TaskSpec) -> npt.NDArray[np.uint8]:
    try:
        return decode(content.encoded, task.limits)
    except ImageError as error:
        raise DataError(f"picture {name} cannot be used: {error}") from error


def _row_digest(sample: Sample, pixels: npt.NDArray[np.uint8], content: Labelled) -> str:
    """SHA-256 of all that a row holds but its fold, which changes when other pictures come or go."""
    digest = hashlib.sha256(json.dumps([sample.name, sample.subject, sample.digest, sample.label]).encode())
    for plane in (pixels, content.mask, content.field_of_view):
        if plane is not None:
            digest.update(f"{plane.shape} {plane.dtype}".encode())
            digest.update(np.ascontiguousarray(plane).tobytes())
    return digest.hexdigest()


def is_intact(sample: Sample, task: TaskSpec, recorded: Mapping[str, str]) -> bool:
    """Return whether a stored sample is what `recorded`, name → row digest, says."""
    try:
        content = sample.read()
        return recorded.get(sample.name) == _row_digest(sample, _decoded(content, sample.name, task), content)
    except DataError:
        return False
