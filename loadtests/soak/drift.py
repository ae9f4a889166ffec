"""Latency over a soak as series: one quantile for each piece of its time."""

import numpy as np
from numpy.typing import NDArray

from loadtests.arrivals import NS_PER_S
from loadtests.estimates.trend import PIECES
from loadtests.measurements import NS_PER_MS
from loadtests.recorder import Recording
from loadtests.soak.judgement import P50, P95, Series, Watched

QUANTILE_OF = {P50: 0.50, P95: 0.95}
# Fewer requests than this in a piece, and its quantile is its slowest request or hangs on two of them.
FEWEST_PER_PIECE = {P50: 5, P95: 20}


def latency_series(measured: Recording) -> list[Series]:
    """P50 and P95 in at most PIECES pieces of time, by when requests were due; pieces are longer where they are few."""
    order = np.argsort(measured.rows["intended_ns"], kind="stable")
    due_s = measured.rows["intended_ns"][order] / NS_PER_S
    latency_ms = measured.latency_ns[order] / NS_PER_MS
    return [
        _series(watched, due_s, latency_ms, min(PIECES, len(due_s) // fewest))
        for watched, fewest in FEWEST_PER_PIECE.items()
    ]


def _series(watched: Watched, due_s: NDArray[np.float64], latency_ms: NDArray[np.float64], pieces: int) -> Series:
    if pieces < 1:
        return Series(watched, np.empty(0), np.empty(0))
    times = np.array([part.mean() for part in np.array_split(due_s, pieces)])
    values = [
        np.quantile(part, QUANTILE_OF[watched], method="inverted_cdf") for part in np.array_split(latency_ms, pieces)
    ]
    return Series(watched, times, np.array(values))
