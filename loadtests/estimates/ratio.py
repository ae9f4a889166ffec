"""How much larger B is than A, from pairs that were measured one right after the other.

What slows a machine for a while slows both halves of a pair, so their ratio keeps still where the figures do not. A
trimmed mean of the pairs' logarithms ignores the few pairs that a burst split; its bootstrap interval is widened as a
Student interval would be, because a percentile interval of few pairs is too short (Hesterberg, What Teachers Should
Know About the Bootstrap, 2015, section 5.3; for the trimmed mean: Wilcox, Introduction to Robust Estimation, 2012).
"""

import math
from statistics import NormalDist

import numpy as np
from numpy.typing import ArrayLike, NDArray

from loadtests.estimates.threshold import Interval

RESAMPLES = 4000
TRIM = 0.2


def paired_ratio(a: ArrayLike, b: ArrayLike, *, confidence: float = 0.95, seed: int = 0) -> Interval:
    """B over A: the trimmed geometric mean of the pairs' ratios and its bootstrap interval.

    `a` and `b` are positive and finite, shape [N], N ≥ 2, pair by pair. The same arguments give the same interval.
    """
    differences = np.log(np.asarray(b, dtype=np.float64) / np.asarray(a, dtype=np.float64))
    count = len(differences)
    drawn = np.random.default_rng(seed).integers(0, count, (RESAMPLES, count))
    low_share, high_share = _widened_shares(count, confidence)
    low, high = np.quantile(_trimmed_mean(differences[drawn]), (low_share, high_share))
    return Interval(math.exp(float(_trimmed_mean(differences))), math.exp(low), math.exp(high))


def _trimmed_mean(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """The mean over the last axis without its TRIM lowest and TRIM highest share."""
    cut = int(TRIM * values.shape[-1])
    return np.asarray(np.sort(values, axis=-1)[..., cut : values.shape[-1] - cut].mean(axis=-1))


def _widened_shares(count: int, confidence: float) -> tuple[float, float]:
    normal = NormalDist()
    wide = _student_quantile((1 + confidence) / 2, count - 1) * math.sqrt(count / (count - 1))
    return normal.cdf(-wide), normal.cdf(wide)


def _student_quantile(share: float, freedom: int) -> float:
    """Of Student's distribution, to about 1 % from 3 degrees of freedom on.

    Cornish and Fisher's expansion about the normal quantile (Abramowitz and Stegun, 26.7.5).
    """
    x = NormalDist().inv_cdf(share)
    terms = (
        (x**3 + x) / 4,
        (5 * x**5 + 16 * x**3 + 3 * x) / 96,
        (3 * x**7 + 19 * x**5 + 17 * x**3 - 15 * x) / 384,
    )
    return x + math.fsum(term / freedom ** (power + 1) for power, term in enumerate(terms))
