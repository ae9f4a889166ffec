"""One foreground class against the rest, from four counts.

Sources: sensitivity, specificity, precision, F1 and accuracy as in Fawcett, "An introduction to ROC analysis", Pattern
Recognition Letters 27 (2006); Dice, "Measures of the amount of ecologic association between species", Ecology 26
(1945); Jaccard, "The distribution of the flora in the alpine zone", New Phytologist 11 (1912); Matthews, "Comparison of
the predicted and observed secondary structure of T4 phage lysozyme", Biochimica et Biophysica Acta 405 (1975).
"""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from tasks.errors import ShapeError

Pixels = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Confusion:
    """Counts of true/false positives and negatives. Ratios of nothing are 1.0: nothing was missed or invented."""

    tp: int
    fp: int
    fn: int
    tn: int

    @property
    def dice(self) -> float:
        """2·TP / (2·TP + FP + FN), 0–1 (Dice 1945)."""
        return _ratio(2 * self.tp, 2 * self.tp + self.fp + self.fn)

    @property
    def f1(self) -> float:
        """Harmonic mean of precision and sensitivity, 0–1: by algebra the Dice coefficient (Fawcett 2006)."""
        return self.dice

    @property
    def iou(self) -> float:
        """TP / (TP + FP + FN), 0–1 (Jaccard 1912)."""
        return _ratio(self.tp, self.tp + self.fp + self.fn)

    @property
    def accuracy(self) -> float:
        """(TP + TN) / all, 0–1 (Fawcett 2006)."""
        return _ratio(self.tp + self.tn, self.tp + self.tn + self.fp + self.fn)

    @property
    def precision(self) -> float:
        """TP / (TP + FP), 0–1 (Fawcett 2006)."""
        return _ratio(self.tp, self.tp + self.fp)

    @property
    def sensitivity(self) -> float:
        """TP / (TP + FN), 0–1; also called recall (Fawcett 2006)."""
        return _ratio(self.tp, self.tp + self.fn)

    @property
    def specificity(self) -> float:
        """TN / (TN + FP), 0–1 (Fawcett 2006)."""
        return _ratio(self.tn, self.tn + self.fp)

    @property
    def mcc(self) -> float:
        """Matthews' correlation coefficient, -1–1; 0 where prediction or truth has one class only (Matthews 1975)."""
        tp, fp, fn, tn = (float(count) for count in (self.tp, self.fp, self.fn, self.tn))
        # Roots before products: four counts of millions of pixels overflow nothing, but lose no digits this way either.
        norm = math.sqrt(tp + fp) * math.sqrt(tp + fn) * math.sqrt(tn + fp) * math.sqrt(tn + fn)
        return (tp * tn - fp * fn) / norm if norm else 0.0


def confusion(predicted: Pixels, truth: Pixels) -> Confusion:
    """Count the pixels of two bool arrays of one shape.

    Raises:
        ShapeError: their shapes differ.
    """
    check_shapes(predicted, truth)
    tp = int(np.count_nonzero(predicted & truth))
    fp = int(np.count_nonzero(predicted)) - tp
    fn = int(np.count_nonzero(truth)) - tp
    return Confusion(tp, fp, fn, predicted.size - tp - fp - fn)


def dice(predicted: Pixels, truth: Pixels) -> float:
    """Return the Dice coefficient of two bool arrays of one shape, 0–1; 1.0 if both are empty."""
    return confusion(predicted, truth).dice


def check_shapes(first: npt.NDArray[Any], second: npt.NDArray[Any]) -> None:
    """Raise ShapeError unless both arrays have one shape."""
    if first.shape != second.shape:
        raise ShapeError(f"predicted {first.shape} and true {second.shape} pixels must have one shape")


def _ratio(part: int, whole: int) -> float:
    return part / whole if whole else 1.0
