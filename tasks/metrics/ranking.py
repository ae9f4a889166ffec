"""How well scores put positives before negatives, whatever the threshold.

A served probability is a byte. So 256 counts of positives and as many of negatives hold everything that ROC and
precision-recall curves need: exact, however many pixels there are, and the counts of pictures simply add up.

Sources: Hanley and McNeil, "The meaning and use of the area under a receiver operating characteristic (ROC) curve",
Radiology 143 (1982); Davis and Goadrich, "The relationship between precision-recall and ROC curves", ICML 2006; average
precision as the step-wise sum of Zhu, "Recall, precision and average precision", University of Waterloo (2004).
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from tasks.errors import ShapeError
from tasks.metrics.binary import Pixels, check_shapes

LEVELS = 256
Histogram = npt.NDArray[np.int64]  # (2, levels): negatives, positives


@dataclass(frozen=True)
class Curves:
    """Points of the ROC and the precision-recall curve, one a threshold from the highest to the lowest, each 0–1.

    Attributes:
        false_positive_rate, recall: float64 (levels + 1,), from 0 to 1.
        precision: float64 (levels + 1,); 1 where nothing is predicted.
    """

    false_positive_rate: npt.NDArray[np.float64]
    recall: npt.NDArray[np.float64]
    precision: npt.NDArray[np.float64]


def score_histogram(score: npt.NDArray[np.uint8], truth: Pixels) -> Histogram:
    """Count scores by level: int64 (2, 256), first those of negatives, then those of positives.

    Args:
        score: uint8, any shape.
        truth: bool, the same shape.

    Raises:
        ShapeError: their shapes differ.
    """
    check_shapes(score, truth)
    index = score.astype(np.intp) + LEVELS * truth
    return np.bincount(index.ravel(), minlength=2 * LEVELS).reshape(2, LEVELS)


def roc_auc(score: npt.NDArray[Any], truth: Pixels) -> float:
    """Return the area under the ROC curve, 0–1: the chance that a positive scores above a negative, ties half.

    The Mann–Whitney U statistic (Hanley and McNeil 1982). NaN if one of the two classes is absent.

    Args:
        score: numbers, any shape.
        truth: bool, the same shape.

    Raises:
        ShapeError: their shapes differ.
    """
    return histogram_roc_auc(_rank_histogram(score, truth))


def average_precision(score: npt.NDArray[Any], truth: Pixels) -> float:
    """Return the area under the precision-recall curve as average precision, 0–1; NaN without positives.

    AP = Σ (Rₙ - Rₙ₋₁)·Pₙ over falling thresholds (Zhu 2004): linear interpolation would flatter (Davis and
    Goadrich 2006). Arguments and errors as for `roc_auc`.
    """
    return histogram_average_precision(_rank_histogram(score, truth))


def histogram_roc_auc(histogram: Histogram) -> float:
    """Return `roc_auc` from counts (2, levels) by rising score; NaN if one of the two classes is absent."""
    negatives, positives = histogram.astype(np.float64)
    pairs = float(negatives.sum() * positives.sum())
    if not pairs:
        return float("nan")
    below = np.cumsum(negatives) - negatives
    return float(positives @ (below + negatives / 2)) / pairs


def histogram_average_precision(histogram: Histogram) -> float:
    """Return `average_precision` from counts (2, levels) by rising score; NaN without positives."""
    if not histogram[1].sum():
        return float("nan")
    curves = histogram_curves(histogram)
    return float(np.diff(curves.recall) @ curves.precision[1:])


def histogram_curves(histogram: Histogram) -> Curves:
    """Return the points of both curves from counts (2, levels) by rising score.

    Rates of a class that is absent are 0.
    """
    passed = np.cumsum(histogram[:, ::-1].astype(np.float64), axis=1)
    false, true = np.concatenate([np.zeros((2, 1)), passed], axis=1)
    predicted = false + true
    precision = np.divide(true, predicted, out=np.ones_like(true), where=predicted > 0)
    return Curves(false / max(false[-1], 1.0), true / max(true[-1], 1.0), precision)


def one_vs_rest(probability: npt.NDArray[np.floating[Any]], truth: npt.NDArray[np.integer[Any]]) -> list[float]:
    """Return each class's ROC-AUC against all others (Fawcett 2006, section 9.2); NaN where it is absent or alone.

    Args:
        probability: (pictures, classes).
        truth: (pictures,), class indices.

    Raises:
        ShapeError: not one row a picture.
    """
    if probability.ndim != 2 or len(probability) != len(truth):
        raise ShapeError(f"probabilities {probability.shape} must be one row for each of {len(truth)} pictures")
    return [roc_auc(scores, truth == label) for label, scores in enumerate(probability.T)]


def _rank_histogram(score: npt.NDArray[Any], truth: Pixels) -> Histogram:
    """Count by distinct score instead of by level: the same curves for scores of any type."""
    check_shapes(score, truth)
    distinct, level = np.unique(score.ravel(), return_inverse=True)
    index = level.ravel() + len(distinct) * truth.ravel()
    return np.bincount(index, minlength=2 * len(distinct)).reshape(2, len(distinct))
