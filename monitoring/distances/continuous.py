"""Distances of two samples of one number, from their empirical distribution functions."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.floating[Any]]


@dataclass(frozen=True)
class Steps:
    """Where the distribution functions of samples drawn from the same values may step.

    Attributes:
        order: int [values], sorts the values.
        last: int [distinct], for each distinct value the place of its last copy in that order.
        gaps: float32 [distinct - 1], from each distinct value to the next.
    """

    order: npt.NDArray[np.intp]
    last: npt.NDArray[np.intp]
    gaps: npt.NDArray[np.float32]

    def cumulative(self, counts: Floats) -> npt.NDArray[np.float32]:
        """Return the distribution function of the sample that holds each value so often.

        Args:
            counts: [..., values], copies of each value in the sample; not all 0.

        Returns:
            float32 [..., distinct], 0–1, at each distinct value; the last is 1. Equal samples give equal bits.
        """
        total = np.cumsum(counts[..., self.order], axis=-1, dtype=np.float32)
        if len(self.last) < len(self.order):
            total = total[..., self.last]
        return np.asarray(total / total[..., -1:], np.float32)


def steps(values: Floats) -> Steps:
    """Return the steps of the distribution functions over these values, float [values]."""
    order = np.argsort(values, kind="stable")
    ascending = values[order].astype(np.float64)
    last = np.flatnonzero(np.append(np.diff(ascending) > 0, True))
    return Steps(order, last, np.diff(ascending[last]).astype(np.float32))


def kolmogorov_smirnov(reference: Floats, window: Floats) -> npt.NDArray[np.float64]:
    """Return the largest distance of two distribution functions, 0–1.

    Source: Smirnov, "Table for estimating the goodness of fit of empirical distributions", Annals of Mathematical
    Statistics 19 (1948): D = sup |F - G|. Ties are steps of both functions at once.

    Args:
        reference, window: `Steps.cumulative` of the two samples, [..., distinct].
    """
    return np.asarray(np.abs(reference - window).max(axis=-1), np.float64)


def wasserstein(reference: Floats, window: Floats, gaps: Floats) -> npt.NDArray[np.float64]:
    """Return the area between two distribution functions, 0 or more, in the unit of the values.

    Source: Vallender, "Calculation of the Wasserstein distance between probability distributions on the line", Theory
    of Probability and its Applications 18 (1974): W1 = ∫ |F - G|.

    Args:
        reference, window: `Steps.cumulative` of the two samples, [..., distinct].
        gaps: `Steps.gaps`, [distinct - 1].
    """
    return np.asarray(np.abs(reference - window)[..., :-1] @ gaps, np.float64)
