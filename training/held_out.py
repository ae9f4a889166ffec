"""Which held-out pictures a model folder keeps, and how they are written for the stages that follow."""

import json
import random
from collections.abc import Sequence
from itertools import groupby
from pathlib import Path

import numpy as np
from PIL import Image

from tasks import TaskSpec
from tasks.held_out import LABELS, SUBJECTS, save_classes
from tasks.processing import Classification, Prediction
from training.evaluation import Evaluated
from training.samples import Labelled, Sample

LIMIT = 64


def choose_held_out(samples: Sequence[Sample], limit: int = LIMIT, seed: int = 0) -> list[Sample]:
    """Return at most `limit` of the samples, sorted by name, drawn with the seed and as evenly over classes as can be.

    Export and serving compare on these; a folder of thousands of pictures would be copied with every model.
    """
    generator = random.Random(seed)  # noqa: S311 - a draw that can be repeated, nothing secret
    ordered = sorted(samples, key=lambda sample: (_label(sample), sample.name))
    classes = [list(group) for _, group in groupby(ordered, key=_label)]
    for members in classes:
        generator.shuffle(members)
    # The first of every class, then the second of every class: a rare class is not crowded out.
    turns = sorted(
        (turn, label, sample.name) for label, group in enumerate(classes) for turn, sample in enumerate(group)
    )
    chosen = {name for _, _, name in turns[:limit]}
    return sorted((sample for sample in samples if sample.name in chosen), key=lambda sample: sample.name)


def keep_held_out(item: Evaluated, task: TaskSpec, folder: Path) -> None:
    """Write the picture, its truth and the offline answer to `folder`, laid out as `tasks.held_out` says."""
    name = item.sample.name
    (folder / "images").mkdir(parents=True, exist_ok=True)
    (folder / "images" / f"{name}{item.labelled.suffix}").write_bytes(item.labelled.encoded)
    _keep_word(folder / SUBJECTS, name, item.sample.subject)
    if isinstance(item.prediction, Classification):
        _keep_label(name, item.sample, task, folder)
    else:
        _keep_masks(name, item.labelled, item.prediction, task, folder)


def _keep_label(name: str, sample: Sample, task: TaskSpec, folder: Path) -> None:
    assert sample.label is not None  # noqa: S101 - else its evaluation would have refused it
    _keep_word(folder / LABELS, name, task.classes[sample.label].name)


def _keep_word(path: Path, name: str, word: str) -> None:
    words = json.loads(path.read_text()) if path.exists() else {}
    path.write_text(json.dumps(words | {name: word}, indent=2, sort_keys=True) + "\n")


def _keep_masks(name: str, labelled: Labelled, answer: Prediction, task: TaskSpec, folder: Path) -> None:
    assert labelled.mask is not None  # noqa: S101 - a segmentation's sample has one
    for part in ("truth", "probability"):
        (folder / part).mkdir(exist_ok=True)
    save_classes(folder / "truth" / f"{name}.png", labelled.mask, task)
    Image.fromarray(answer.probability).save(folder / "probability" / f"{name}.png")
    if labelled.field_of_view is not None:
        (folder / "field_of_view").mkdir(exist_ok=True)
        view = np.where(labelled.field_of_view, np.uint8(255), np.uint8(0))
        Image.fromarray(view).save(folder / "field_of_view" / f"{name}.png")


def _label(sample: Sample) -> int:
    return -1 if sample.label is None else sample.label
