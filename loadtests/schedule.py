"""When requests are due, decided before the first one is sent.

A schedule that is fixed beforehand cannot be slowed down by the server it measures. Walking it is `open_loop`'s part.
"""

import math
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from loadtests.errors import InvalidScheduleError

Arrivals = Literal["poisson", "constant"]

# A hundred thousand rows still draw, parse and report within the three seconds an interrupted run has to end in.
MAX_ARRIVALS = 100_000
NS_PER_S = 1_000_000_000


def arrival_times_ns(*, rate_rps: float, span_s: float, arrivals: Arrivals, seed: int) -> NDArray[np.int64]:
    """The intended send times, in nanoseconds after the start, ascending.

    Shape [N], int64, all in [0, span_s). `constant` sends one request every 1/rate_rps seconds, the first at 0.
    `poisson` is a Poisson process: given their number, its arrivals are independent and uniform over the span
    (Kingman, Poisson Processes, 1993, section 2.4). The same arguments always give the same times.

    Raises InvalidScheduleError when more than MAX_ARRIVALS requests are expected.
    """
    expected = rate_rps * span_s
    if expected > MAX_ARRIVALS:
        raise InvalidScheduleError(
            f"{rate_rps:g} requests/s for {span_s:g} s are {expected:.0f} requests, more than the {MAX_ARRIVALS} "
            "one run may send: lower --rate or --duration-s."
        )
    times_s = _poisson_s(expected, span_s, seed) if arrivals == "poisson" else _constant_s(rate_rps, expected)
    return np.asarray(times_s * NS_PER_S, dtype=np.int64)


def _poisson_s(expected: float, span_s: float, seed: int) -> NDArray[np.float64]:
    generator = np.random.default_rng(seed)
    return np.sort(generator.uniform(0.0, span_s, generator.poisson(expected)))


def _constant_s(rate_rps: float, expected: float) -> NDArray[np.float64]:
    # 0.1 * 30 is 3.0000000000000004: without the allowance a fourth request would be due at the very end.
    count = math.ceil(expected - 1e-9)
    return np.arange(count, dtype=np.float64) / rate_rps
