"""Where a rising chance of failure crosses one half, from trials that each only passed or missed.

A plain bisection believes every trial, so one noisy second sends it into the wrong half for good. Here each trial only
shifts belief: the chance to pass falls along a logistic curve of unknown place and width, with lapses for trials that
say nothing about the rate. The next trial belongs where belief is halved (Waeber, Frazier and Henderson, Bisection
Search with Noisy Responses, 2013; the curve with its lapses is that of Watson and Pelli, QUEST, 1983).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

GRID_POINTS = 600
# Of the curve, in natural logarithms of the rate: 0.02 is a cliff, 0.15 a slope that begins at two thirds.
WIDTHS = (0.02, 0.06, 0.15)
# A neighbour on the machine can spoil any trial. Luck that saves one far over the threshold is rarer.
LAPSE_MISSED, LAPSE_PASSED = 0.06, 0.01


@dataclass(frozen=True)
class Interval:
    """An estimate and the bounds that hold it with the confidence asked for, all in one unit."""

    estimate: float
    low: float
    high: float

    @property
    def relative_width(self) -> float:
        """The distance of the bounds as a share of the lower one; infinite when that is 0."""
        return (self.high - self.low) / self.low if self.low > 0 else float("inf")


def threshold(
    rates: Sequence[float], passed: Sequence[bool], *, bounds: tuple[float, float], confidence: float = 0.95
) -> Interval:
    """The rate at which a trial passes as likely as it misses: posterior median and equal-tailed credible interval.

    `rates` are positive, one a trial, in any order; `bounds` are the rates between which the threshold is taken to
    lie, each as likely before the first trial on a logarithmic scale.
    """
    places = np.linspace(np.log(bounds[0]), np.log(bounds[1]), GRID_POINTS)
    belief = _belief(places, np.log(np.asarray(rates, dtype=np.float64)), np.asarray(passed, dtype=bool))
    tail = (1 - confidence) / 2
    low, middle, high = np.exp(np.interp((tail, 0.5, 1 - tail), np.cumsum(belief), places))
    return Interval(float(middle), float(low), float(high))


def _belief(places: NDArray[np.float64], trials: NDArray[np.float64], passed: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Posterior weight of each place, shape [GRID_POINTS], sum 1; the width is integrated out."""
    margins = places[None, :, None] - trials[None, None, :]
    # tanh instead of exp: a margin of many widths must not overflow.
    curve = 0.5 * (1 + np.tanh(margins / (2 * np.array(WIDTHS)[:, None, None])))
    chance = LAPSE_PASSED + (1 - LAPSE_PASSED - LAPSE_MISSED) * curve
    likelihood = np.where(passed, chance, 1 - chance).prod(axis=2).sum(axis=0)
    return np.asarray(likelihood / likelihood.sum())
