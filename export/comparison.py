"""One batch through the trained network and through an artefact: what differs between the two answers."""

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
from tasks.processing import postprocess, postprocess_classes, postprocess_label
from tasks.quality import count, quality
from training.serving_module import ServingModule


@dataclass(frozen=True)
class Compared:
    """A batch's differences.

    Attributes:
        max_abs, mean_abs: of the probability (0–1), over all values.
        max_level: of the served byte (0–255); 0 where none is served.
        disagreements: by picture the share of pixels, or 0 or 1 for the label, that get another class.
        counts: by picture the trained network's and the artefact's confusion matrix against the expert.
    """

    max_abs: float
    mean_abs: float
    max_level: int
    disagreements: list[float]
    counts: list[tuple[Matrix, Matrix]]


def compare(module: ServingModule, artefact: Runner, pictures: Sequence[Picture], task: TaskSpec) -> Compared:
    """Run the pictures as one batch through both and compare.

    Raises:
        Exception: whatever the artefact's runtime raises.
        TaskError: the artefact answers with shapes or classes that the task does not have.
    """
    pixels = np.stack([picture.fitted.pixels for picture in pictures])
    with torch.inference_mode():
        expected = answer_of(module, torch.from_numpy(pixels))
    found = artefact(pixels)
    difference = np.abs(expected.probability - found.probability.reshape(expected.probability.shape))
    classes = [
        (_classes(expected, row, picture, task), _classes(found, row, picture, task))
        for row, picture in enumerate(pictures)
    ]
    return Compared(
        float(difference.max()),
        float(difference.mean()),
        _level_error(expected, found),
        [float((theirs != ours).mean()) for theirs, ours in classes],
        [
            (count(theirs, picture.truth, picture.judged, task), count(ours, picture.truth, picture.judged, task))
            for (theirs, ours), picture in zip(classes, pictures, strict=True)
        ],
    )


def disagreement(compared: Sequence[Compared], task: TaskSpec) -> float:
    """Return the largest share of a picture's pixels, or the share of the pictures, that get another class."""
    shares = [share for batch in compared for share in batch.disagreements]
    return float(np.mean(shares) if task.kind is Kind.CLASSIFICATION else np.max(shares))


def quality_difference(compared: Sequence[Compared], task: TaskSpec) -> float:
    """Return how far the task's figure moves. Dice is a picture's, mean IoU and macro-F1 are a set's: pooled."""
    pairs = [pair for batch in compared for pair in batch.counts]
    if task.kind is not Kind.BINARY_SEGMENTATION:
        pairs = [(np.sum([expected for expected, _ in pairs], axis=0), np.sum([found for _, found in pairs], axis=0))]
    return max(abs(quality(expected, task) - quality(found, task)) for expected, found in pairs)


def _level_error(expected: Answer, found: Answer) -> int:
    """Return the largest difference of a served probability: the last output, if it is served as a byte."""
    levels = expected.served[-1]
    if levels.dtype != np.uint8:
        return 0
    return int(np.abs(levels.astype(np.int16) - found.served[-1]).max())


def _classes(answer: Answer, row: int, picture: Picture, task: TaskSpec) -> npt.NDArray[np.integer[Any]]:
    """Return the classes as a caller would get them: pixels (height, width) of the picture, or a label ()."""
    served = [output[row] for output in answer.served]
    fitted = picture.fitted
    if task.kind is Kind.CLASSIFICATION:
        return np.array(postprocess_label(served[0], task).label)
    if task.kind is Kind.SEMANTIC_SEGMENTATION:
        return postprocess_classes(served[0], served[1], fitted.field_of_view, fitted.geometry, task).mask
    return postprocess(served[0], fitted.field_of_view, fitted.geometry, task).mask
