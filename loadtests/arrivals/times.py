"""Arrival times from a rate, a spacing and a shape."""

import math
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from loadtests.arrivals.shapes import STEADY, Floats, Shape
from loadtests.errors import InvalidScheduleError

Spacing = Literal["poisson", "constant"]

# A row is 40 bytes: what fits into memory several times over, on the machine that judges.
MAX_ARRIVALS = 20_000_000
NS_PER_S = 1_000_000_000
# Points at which a curve's rate is summed; a jump is smeared over one of them.
_CURVE_POINTS = 20_001


def arrival_times_ns(
    *, rate_rps: float, span_s: float, arrivals: Spacing, seed: int, shape: Shape = STEADY, warm_up_s: float = 0.0
) -> NDArray[np.int64]:
    """The intended send times, in nanoseconds after the start, ascending.

    Shape [N], int64, all in [0, span_s). `constant` sends one request every 1/rate_rps seconds, the first at 0.
    `poisson` is a Poisson process: given their number, its arrivals are independent and uniform over the span
    (Kingman, Poisson Processes, 1993, section 2.4). A shape that is not steady changes the clock of either: time
    becomes the number of requests that the shape's rate has made due until then, in which arrivals are even or
    uniform (the same, section 2.3 and 4.5). It covers the time after `warm_up_s`; before that its first rate holds.
    The same arguments always give the same times.

    Raises InvalidScheduleError when more than MAX_ARRIVALS requests are expected.
    """
    clock_s, due = _clock(rate_rps, span_s, warm_up_s, shape)
    expected = float(due[-1])
    if expected > MAX_ARRIVALS:
        raise InvalidScheduleError(
            f"{rate_rps:g} requests/s for {span_s:g} s are {expected:.0f} requests, more than the {MAX_ARRIVALS} "
            "one run may send: lower --rate or --duration-s."
        )
    counted = _poisson(expected, seed) if arrivals == "poisson" else _constant(expected)
    times_s = counted / rate_rps if shape == STEADY else np.interp(counted, due, clock_s)
    # Rounding must not put a request at the very end.
    return np.minimum(np.asarray(times_s * NS_PER_S, dtype=np.int64), math.ceil(span_s * NS_PER_S) - 1)


def _clock(rate_rps: float, span_s: float, warm_up_s: float, shape: Shape) -> tuple[Floats, Floats]:
    """Points of time and the requests that are due until each, both ascending."""
    if shape == STEADY:
        return np.array([0.0, span_s]), np.array([0.0, rate_rps * span_s])
    time = np.linspace(0.0, 1.0, _CURVE_POINTS)
    shares = shape.share(time)
    clock_s = warm_up_s + time * (span_s - warm_up_s)
    # Over one step the mean of its ends, the trapezoidal rule.
    steps = np.diff(clock_s) * (shares[1:] + shares[:-1]) / 2
    warm_up = warm_up_s * shares[0]
    due = rate_rps * np.concatenate([[0.0, warm_up], warm_up + np.cumsum(steps)])
    return np.concatenate([[0.0], clock_s]), due


def _poisson(expected: float, seed: int) -> Floats:
    generator = np.random.default_rng(seed)
    return np.sort(generator.uniform(0.0, expected, generator.poisson(expected)))


def _constant(expected: float) -> Floats:
    # 0.1 * 30 is 3.0000000000000004: without the allowance a fourth request would be due at the very end.
    return np.arange(math.ceil(expected - 1e-9), dtype=np.float64)
