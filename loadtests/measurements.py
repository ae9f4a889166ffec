"""Rows of requests turned into the figures that objectives speak about. Judging them is `verdict`'s part."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from loadtests.arrivals import NS_PER_S
from loadtests.correctness import NO_SAMPLES, Samples
from loadtests.drive import Drive
from loadtests.recorder import Recording
from loadtests.slo import Slo

NS_PER_MS = 1_000_000
QUANTILES = {"p50": 0.50, "p90": 0.90, "p95": 0.95, "p99": 0.99, "p99.9": 0.999, "max": 1.0}
QUANTILE_METHOD = (
    "nearest rank (inverted CDF): the smallest observed latency that at least that share of all measured requests, "
    "answered or failed, did not exceed"
)


@dataclass(frozen=True)
class Measurements:
    """What was measured after the warm-up. `planned` counts the requests due then, whether or not they were sent.

    Attributes:
        latency_ms, lag_ms: QUANTILES and those that have a limit, in milliseconds; empty when nothing was measured.
        right_mean_ms: the mean latency of right answers, the warm-up's too: the server's own means count them as well.
        achieved_rps: counts right answers only.
        compared: how many answers were compared with the expected ones.
        correct_ratio: the share of those that were right, 0 to 1; None where none was compared.
        least_agreement: of a compared answer with the expected one, 0 to 1.
        generator_cpu_ratio: of the busiest generator process, 1 for a whole core; None where it could not tell.
    """

    planned: int
    warm_up: int
    measured: int
    errors: int
    latency_ms: Mapping[str, float]
    lag_ms: Mapping[str, float]
    offered_rps: float
    achieved_rps: float
    errors_by_message: Mapping[str, int]
    right_mean_ms: float | None = None
    compared: int = 0
    correct_ratio: float | None = None
    least_agreement: float | None = None
    generator_cpu_ratio: float | None = None

    @property
    def error_ratio(self) -> float | None:
        """Failed over measured requests, 0 to 1; None when nothing was measured."""
        return self.errors / self.measured if self.measured else None

    @property
    def achieved_rate_ratio(self) -> float | None:
        """Rate of right answers over rate of due requests; None when nothing was measured."""
        return self.achieved_rps / self.offered_rps if self.measured and self.offered_rps else None


def measure_drive(driven: Drive, slo: Slo, samples: Samples = NO_SAMPLES) -> Measurements:
    """The figures of a driven load, every one that an objective of `slo` can speak about."""
    load = driven.load
    quantiles = {**QUANTILES, **slo.objectives.quantiles}
    measured = measure(
        driven.recording, driven.due_ns, warm_up_s=load.warm_up_s, duration_s=load.duration_s, quantiles=quantiles
    )
    compared = samples.of(driven.measured.rows["index"])
    found = {
        "compared": compared.agreement.size,
        "correct_ratio": compared.correct_ratio(slo.correctness.agreement),
        "least_agreement": float(compared.agreement.min()) if compared.agreement.size else None,
        "generator_cpu_ratio": driven.generator_cpu_ratio,
    }
    return Measurements(**{**vars(measured), **found})


def measure(
    recording: Recording,
    due_ns: NDArray[np.int64],
    *,
    warm_up_s: float,
    duration_s: float,
    quantiles: Mapping[str, float] = QUANTILES,
) -> Measurements:
    """The figures of a run, from the requests that were due after `warm_up_s`.

    Failed requests count in every latency quantile with the time they took, so a server that times out cannot look
    fast. The achieved rate runs until the last answer, so a server that falls behind cannot look keeping up.
    """
    warm_up_ns = int(warm_up_s * NS_PER_S)
    judged = recording.since(warm_up_ns)
    errors = int(judged.failed.sum())
    planned = int((due_ns >= warm_up_ns).sum())
    last_ns = int(judged.rows["finished_ns"].max(initial=0))
    span_s = max(duration_s, (last_ns - warm_up_ns) / NS_PER_S)
    right = recording.latency_ns[~recording.failed]
    return Measurements(
        planned=planned,
        warm_up=len(recording) - len(judged),
        measured=len(judged),
        errors=errors,
        latency_ms=quantiles_ms(judged.latency_ns, quantiles),
        lag_ms=quantiles_ms(judged.lag_ns),
        offered_rps=planned / duration_s,
        achieved_rps=(len(judged) - errors) / span_s,
        errors_by_message=_by_message(judged),
        right_mean_ms=float(right.mean()) / NS_PER_MS if right.size else None,
    )


def _by_message(judged: Recording) -> dict[str, int]:
    numbers, counts = np.unique(judged.rows["error"][judged.failed], return_counts=True)
    frequent = np.argsort(-counts, kind="stable")
    return {judged.errors[numbers[place]]: int(counts[place]) for place in frequent}


def quantiles_ms(times_ns: ArrayLike, quantiles: Mapping[str, float] = QUANTILES) -> dict[str, float]:
    """Quantiles of times in nanoseconds, in milliseconds, by QUANTILE_METHOD; empty for no times.

    Method 1 of Hyndman and Fan, Sample Quantiles in Statistical Packages, 1996: nothing is interpolated, every figure
    is a latency that some request had.
    """
    times = np.asarray(times_ns)
    if not times.size:
        return {}
    ordered = dict(sorted(quantiles.items(), key=lambda item: item[1]))
    values = np.quantile(times, list(ordered.values()), method="inverted_cdf")
    return {name: float(value) / NS_PER_MS for name, value in zip(ordered, values, strict=True)}
