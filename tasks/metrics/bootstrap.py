"""How far a figure would move with other subjects: the percentile bootstrap.

Source: Efron and Tibshirani, "An Introduction to the Bootstrap", Chapman and Hall (1993), chapter 13. Subjects and not
pictures or pixels are drawn: those of one subject are not independent (the cluster bootstrap of Field and Welsh,
"Bootstrapping clustered data", Journal of the Royal Statistical Society B 69 (2007)).
"""

from collections.abc import Iterable

import numpy as np
import numpy.typing as npt


def resampled_counts(subjects: int, resamples: int, seed: int) -> npt.NDArray[np.int64]:
    """Return how often each subject was drawn: int64 (resamples, subjects), each row sums to `subjects`.

    What adds up over subjects (counts, histograms) is resampled by one matrix product with it.
    """
    generator = np.random.default_rng(seed)
    return generator.multinomial(subjects, np.full(subjects, 1 / subjects), size=resamples)


def percentile_interval(values: Iterable[float], coverage: float = 0.95) -> tuple[float, float]:
    """Return the percentile interval of a statistic's resampled values, those that are defined; NaN if none is.

    Args:
        values: of the statistic, one a resample.
        coverage: share of the values that lie inside, 0–1.
    """
    known = np.array([value for value in values if not np.isnan(value)])
    if not known.size:
        return float("nan"), float("nan")
    low, high = np.quantile(known, [(1 - coverage) / 2, (1 + coverage) / 2])
    return float(low), float(high)
