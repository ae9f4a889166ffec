"""Whether a probability means what it says.

Source: expected calibration error and reliability diagram as in Guo et al., "On calibration of modern neural
networks", ICML 2017, section 2: 15 bins of equal width, each without its lower and with its upper edge.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from tasks.metrics.binary import check_shapes

BINS = 15


@dataclass(frozen=True)
class ReliabilityBin:
    """One bar of a reliability diagram.

    Attributes:
        count: predictions whose confidence lies in the bin.
        confidence: their mean confidence, 0–1.
        accuracy: the share of them that is right, 0–1.
    """

    count: int
    confidence: float
    accuracy: float


def reliability(
    confidence: npt.NDArray[np.floating[Any]], right: npt.NDArray[np.bool_], bins: int = BINS
) -> list[ReliabilityBin]:
    """Return the bins that hold predictions, by rising confidence.

    Args:
        confidence: probability of the predicted class, 0–1, any shape.
        right: bool, the same shape; whether the prediction is right.
        bins: how many bins of equal width divide 0–1.

    Raises:
        ShapeError: their shapes differ.
    """
    check_shapes(confidence, right)
    flat = confidence.ravel().astype(np.float64)
    counts = np.ones((2, flat.size), np.int64) * np.stack([~right.ravel(), right.ravel()])
    return _binned(flat, counts, bins)


def level_bins(histogram: npt.NDArray[np.int64], bins: int = BINS) -> list[ReliabilityBin]:
    """Return `reliability` from counts (2, levels) of wrong and right predictions; level 0 is 0, the last one 1."""
    return _binned(np.linspace(0, 1, histogram.shape[1]), histogram, bins)


def expected_calibration_error(bars: Sequence[ReliabilityBin]) -> float:
    """Return the mean distance of accuracy and confidence over the bins, weighted by their counts; 0–1, NaN of none."""
    total = sum(bar.count for bar in bars)
    if not total:
        return float("nan")
    return sum(bar.count * abs(bar.accuracy - bar.confidence) for bar in bars) / total


def _binned(confidence: npt.NDArray[np.float64], counts: npt.NDArray[np.int64], bins: int) -> list[ReliabilityBin]:
    # Confidence 0 belongs to the first bin, although the bins leave their lower edge out.
    bin_of = np.clip(np.digitize(confidence, np.linspace(0, 1, bins + 1), right=True) - 1, 0, bins - 1)
    weight = counts.sum(axis=0)
    held = np.bincount(bin_of, weight, bins)
    mass = np.bincount(bin_of, weight * confidence, bins)
    right = np.bincount(bin_of, counts[1], bins)
    return [
        ReliabilityBin(int(count), float(sure / count), float(hits / count))
        for count, sure, hits in zip(held, mass, right, strict=True)
        if count
    ]
