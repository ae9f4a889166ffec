"""Whether a series rises for good, or only wanders.

Slope: the median of the slopes of all pairs, which a few outliers do not move (Sen, Estimates of the Regression
Coefficient Based on Kendall's Tau, 1968). Significance: the test of Mann (1945) and Kendall, its variance corrected
for a series whose neighbours resemble each other (Hamed and Rao, A Modified Mann-Kendall Trend Test for
Autocorrelated Data, 1998). Memory and latency are such series; uncorrected, the test cries wolf at them.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

# Medians of so many equal pieces of time: quick to compare pair by pair, and short bursts vanish in them.
PIECES = 40
MIN_PIECES = 12
SIGNIFICANT_LAG = 1.96


@dataclass(frozen=True)
class Trend:
    """`rise` is the slope times the span of the series, in the unit of its values; `late_rise` is what the slope of
    the second half alone would give over the whole span. `p_value` is one-sided: the chance of so steady a rise in a
    series without one.
    """

    slope_per_s: float
    rise: float
    late_rise: float
    p_value: float
    level: float


def trend(times_s: NDArray[np.float64], values: NDArray[np.float64]) -> Trend | None:
    """The trend of a series, shapes [N], times ascending; `level` is its median. None when it is too short to tell:
    values in fewer than MIN_PIECES of PIECES pieces of its time.
    """
    middles_s, medians = piecewise_medians(times_s, values)
    if len(medians) < MIN_PIECES:
        return None
    span_s = float(times_s[-1] - times_s[0])
    slope = theil_sen(middles_s, medians)
    half = len(medians) // 2
    late = theil_sen(middles_s[half:], medians[half:])
    p_value = rise_p_value(medians, medians - slope * middles_s)
    return Trend(slope, slope * span_s, late * span_s, p_value, float(np.median(values)))


def piecewise_medians(
    times_s: NDArray[np.float64], values: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The middles of PIECES equal pieces of time, in seconds, and the medians of the values in them; without the empty
    ones.
    """
    if len(times_s) < 2 or times_s[-1] <= times_s[0]:
        return np.empty(0), np.empty(0)
    edges = np.linspace(times_s[0], times_s[-1], PIECES + 1)
    piece = np.clip(np.searchsorted(edges, times_s, side="right") - 1, 0, PIECES - 1)
    filled = np.unique(piece)
    medians = np.array([np.median(values[piece == number]) for number in filled])
    return ((edges[:-1] + edges[1:]) / 2)[filled], medians


def theil_sen(times_s: NDArray[np.float64], values: NDArray[np.float64]) -> float:
    """The median slope of all pairs, in the values' unit per second; shapes [N], N ≥ 2, times distinct."""
    first, second = np.triu_indices(len(values), 1)
    return float(np.median((values[second] - values[first]) / (times_s[second] - times_s[first])))


def rise_p_value(values: NDArray[np.float64], residuals: NDArray[np.float64]) -> float:
    """One-sided p-value of Mann and Kendall against a rise; `residuals` are the values without their slope, [N]."""
    count = len(values)
    first, second = np.triu_indices(count, 1)
    score = float(np.sign(values[second] - values[first]).sum())
    _, ties = np.unique(values, return_counts=True)
    variance = (_pairs_variance(np.array([count])) - _pairs_variance(ties)) / 18 * _inflation(residuals)
    if variance <= 0:
        return 1.0
    corrected = score - np.sign(score)  # continuity
    return 0.5 * math.erfc(corrected / math.sqrt(2 * variance))


def _pairs_variance(counts: NDArray[np.int64]) -> float:
    return float((counts * (counts - 1.0) * (2 * counts + 5)).sum())


def _inflation(residuals: NDArray[np.float64]) -> float:
    """Hamed and Rao's n/n*, never under 1: resemblance may only make the test more careful."""
    count = len(residuals)
    ranks = _centred_ranks(residuals)
    if not ranks.any():
        return 1.0
    lags = np.arange(1, count - 2)
    resemblance = np.array([ranks[lag:] @ ranks[:-lag] for lag in lags]) / (ranks @ ranks)
    resemblance[np.abs(resemblance) < SIGNIFICANT_LAG / math.sqrt(count)] = 0.0
    weights = (count - lags) * (count - lags - 1.0) * (count - lags - 2.0)
    return max(1.0, 1 + 2 / (count * (count - 1) * (count - 2)) * float(weights @ resemblance))


def _centred_ranks(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Ranks about 0, equal values sharing theirs; what differs by rounding alone is equal."""
    grain = 1e-9 * max(1.0, float(np.abs(values).max()))
    _, place, counts = np.unique(np.round(values / grain), return_inverse=True, return_counts=True)
    ranks = (np.cumsum(counts) - (counts + 1) / 2)[place]
    return np.asarray(ranks - ranks.mean())
