"""What the trained network answers to the pictures, and how an artefact's answers differ from that."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from export.artefact import Answer, Runner, answer_of
from export.pictures import Picture
from tasks import Kind, TaskSpec
from tasks.metrics.multiclass import Matrix
from tasks.processing import postprocess, postprocess_classes
from tasks.quality import count, quality
from training.serving_module import ServingModule

Classes = npt.NDArray[np.integer[Any]]


@dataclass(frozen=True)
class Expected:
    """What the trained network answers to a picture: computed once, compared with every artefact.

    Attributes:
        picture: as it was given.
        answer: to a batch of one.
        classes: as a caller gets them, pixels (height, width) of the picture or a label ().
        counts: their confusion matrix against the expert.
    """

    picture: Picture
    answer: Answer
    classes: Classes
    counts: Matrix


@dataclass(frozen=True)
class Compared:
    """A picture's differences.

    Attributes:
        max_abs, mean_abs: of the probability (0–1), over all values.
        magnitude: mean of the expected probability.
        max_level: of the served byte (0–255); 0 where none is served.
        disagreement: share of the pixels, or 0 or 1 for the label, that get another class.
        expected, found: the trained network's and the artefact's confusion matrix against the expert.
    """

    max_abs: float
    mean_abs: float
    magnitude: float
    max_level: int
    disagreement: float
    expected: Matrix
    found: Matrix


def expect(module: ServingModule, pictures: Sequence[Picture], task: TaskSpec) -> list[Expected]:
    """Run the trained network on each picture."""
    every = []
    for picture in pictures:
        with torch.inference_mode():
            answer = answer_of(module, torch.from_numpy(picture.fitted.pixels[None]))
        classes = classes_of(answer, 0, picture, task)
        every.append(Expected(picture, answer, classes, count(classes, picture.truth, picture.judged, task)))
    return every


def compare(expected: Sequence[Expected], artefact: Runner, task: TaskSpec) -> list[Compared]:
    """Run the pictures as one batch through the artefact and compare each.

    Raises:
        Exception: whatever the artefact's runtime raises.
        TaskError: the artefact answers with shapes or classes that the task does not have.
    """
    found = artefact(np.stack([each.picture.fitted.pixels for each in expected]))
    return [_compare_row(each, found, row, task) for row, each in enumerate(expected)]


def _compare_row(expected: Expected, found: Answer, row: int, task: TaskSpec) -> Compared:
    wanted, got = _measured(expected.answer, found, row)
    difference = np.abs(wanted - got)
    classes = classes_of(found, row, expected.picture, task)
    return Compared(
        float(difference.max()),
        float(difference.mean()),
        float(np.abs(wanted).mean()),
        _level_error(expected.answer, found, row),
        float((expected.classes != classes).mean()),
        expected.counts,
        count(classes, expected.picture.truth, expected.picture.judged, task),
    )


def _measured(expected: Answer, found: Answer, row: int) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
    """Return the probabilities to compare; of an artefact that has none inside, those that its bytes stand for."""
    assert expected.probability is not None  # noqa: S101 - the trained network can always be asked
    if found.probability is None:
        return expected.served[-1][0] / np.float32(255), found.served[-1][row] / np.float32(255)
    wanted = expected.probability[0]
    return wanted, found.probability[row].reshape(wanted.shape)


def disagreement(compared: Sequence[Compared], task: TaskSpec) -> float:
    """Return the largest share of a picture's pixels, or the share of the pictures, that get another class."""
    shares = [each.disagreement for each in compared]
    return float(np.mean(shares) if task.kind is Kind.CLASSIFICATION else np.max(shares))


def quality_difference(compared: Sequence[Compared], task: TaskSpec) -> float:
    """Return how far the task's figure moves. Dice is a picture's, mean IoU and macro-F1 are a set's: pooled."""
    pairs = [(each.expected, each.found) for each in compared]
    if task.kind is not Kind.BINARY_SEGMENTATION:
        pairs = [(np.sum([expected for expected, _ in pairs], axis=0), np.sum([found for _, found in pairs], axis=0))]
    return max(abs(quality(expected, task) - quality(found, task)) for expected, found in pairs)


def classes_of(answer: Answer, row: int, picture: Picture, task: TaskSpec) -> Classes:
    """Return the classes as a caller would get them: pixels (height, width) of the picture, or a label ()."""
    served = [output[row] for output in answer.served]
    fitted = picture.fitted
    if task.kind is Kind.CLASSIFICATION:
        # As postprocess_label chooses it, which refuses what is no number: here that is a figure over every budget.
        return np.array(served[0].argmax())
    if task.kind is Kind.SEMANTIC_SEGMENTATION:
        return postprocess_classes(served[0], served[1], fitted.field_of_view, fitted.geometry, task).mask
    return postprocess(served[0], fitted.field_of_view, fitted.geometry, task).mask


def _level_error(expected: Answer, found: Answer, row: int) -> int:
    """Return the largest difference of a served probability: the last output, if it is served as a byte."""
    levels = expected.served[-1][0]
    if levels.dtype != np.uint8:
        return 0
    return int(np.abs(levels.astype(np.int16) - found.served[-1][row]).max())
