"""The one figure of a task, from counts: what an export may not change and what serving is held to."""

from typing import Any

import numpy as np
import numpy.typing as npt

from tasks.metrics import class_scores, confusion_matrix, present_mean
from tasks.metrics.multiclass import Matrix
from tasks.spec import Kind, TaskSpec

# The names that training's evaluation gives the same figures.
FIGURES = {
    Kind.BINARY_SEGMENTATION: "dice",
    Kind.SEMANTIC_SEGMENTATION: "mean_iou",
    Kind.CLASSIFICATION: "macro_f1",
}


def count(
    predicted: npt.NDArray[np.integer[Any]],
    truth: npt.NDArray[np.integer[Any]],
    judged: npt.NDArray[np.bool_],
    task: TaskSpec,
) -> Matrix:
    """Return the confusion matrix over what is judged: int64 (predicted classes, same), row = truth.

    Args:
        predicted, truth: class indices, pixels (height, width) or a label ().
        judged: bool, truth's shape; see `tasks.held_out.judged_pixels`.
        task: whose `unlabeled` is no class here.

    Raises:
        ShapeError: shapes differ, or an index names no class.
    """
    first = len(task.classes) - len(task.predicted)
    # Outside serving's own field of view the answer is 0; for a task with `unlabeled` a miss of the first class.
    found = np.maximum(predicted, first)[judged] - first
    return confusion_matrix(found, truth[judged] - first, len(task.predicted))


def quality(matrix: Matrix, task: TaskSpec) -> float:
    """Return Dice, mean IoU or macro-F1 by the task's kind, 0–1; 1 where nothing was to be found and nothing was."""
    scores = class_scores(matrix)
    if task.kind is Kind.BINARY_SEGMENTATION:
        figure = float(scores.f1[1])
    else:
        figure = present_mean(scores.iou if task.kind is Kind.SEMANTIC_SEGMENTATION else scores.f1)
    return 1.0 if np.isnan(figure) else figure
