"""How good a segmentation is: pure functions over the pixels that count (the caller selects them).

Definitions: sensitivity, specificity and accuracy as in Fawcett, "An introduction to ROC analysis", Pattern Recognition
Letters 27 (2006); Dice as in Dice, "Measures of the amount of ecologic association between species", Ecology 26 (1945).
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from tasks.errors import ShapeError

Pixels = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Confusion:
    """Pixel counts: true/false positives and negatives. Ratios of nothing are 1.0: nothing was missed or invented."""

    tp: int
    fp: int
    fn: int
    tn: int

    @property
    def dice(self) -> float:
        """2·TP / (2·TP + FP + FN), 0–1."""
        return _ratio(2 * self.tp, 2 * self.tp + self.fp + self.fn)

    @property
    def accuracy(self) -> float:
        """(TP + TN) / all, 0–1."""
        return _ratio(self.tp + self.tn, self.tp + self.tn + self.fp + self.fn)

    @property
    def sensitivity(self) -> float:
        """TP / (TP + FN), 0–1."""
        return _ratio(self.tp, self.tp + self.fn)

    @property
    def specificity(self) -> float:
        """TN / (TN + FP), 0–1."""
        return _ratio(self.tn, self.tn + self.fp)


def confusion(predicted: Pixels, truth: Pixels) -> Confusion:
    """Count the pixels of two bool arrays of one shape.

    Raises:
        ShapeError: their shapes differ.
    """
    _check_shapes(predicted, truth)
    tp = int(np.count_nonzero(predicted & truth))
    fp = int(np.count_nonzero(predicted)) - tp
    fn = int(np.count_nonzero(truth)) - tp
    return Confusion(tp, fp, fn, predicted.size - tp - fp - fn)


def dice(predicted: Pixels, truth: Pixels) -> float:
    """Return the Dice coefficient of two bool arrays of one shape, 0–1; 1.0 if both are empty."""
    return confusion(predicted, truth).dice


def roc_auc(score: npt.NDArray[Any], truth: Pixels) -> float:
    """Return the area under the ROC curve, 0–1: the chance that a positive scores above a negative, ties half.

    The Mann–Whitney U statistic over midranks: Hanley and McNeil, "The meaning and use of the area under a receiver
    operating characteristic (ROC) curve", Radiology 143 (1982). NaN if one of the two classes is absent.

    Args:
        score: numbers, any shape.
        truth: bool, the same shape.

    Raises:
        ShapeError: their shapes differ.
    """
    _check_shapes(score, truth)
    positives = int(np.count_nonzero(truth))
    negatives = truth.size - positives
    if not positives or not negatives:
        return float("nan")
    _, level, count = np.unique(score.ravel(), return_inverse=True, return_counts=True)
    midrank = np.cumsum(count) - (count - 1) / 2
    rank_sum = float(midrank[level.ravel()][truth.ravel()].sum())
    return (rank_sum - positives * (positives + 1) / 2) / (positives * negatives)


def _ratio(part: int, whole: int) -> float:
    return part / whole if whole else 1.0


def _check_shapes(first: npt.NDArray[Any], second: npt.NDArray[Any]) -> None:
    if first.shape != second.shape:
        raise ShapeError(f"predicted {first.shape} and true {second.shape} pixels must have one shape")
