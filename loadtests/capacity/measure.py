"""Searches the capacity of several endpoints in turns, so that a slow hour of the machine falls on all of them."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from loadtests.capacity.search import Found, Limit, Plan, Trial, next_rate
from loadtests.judged import Judged
from loadtests.outcome import Outcome
from loadtests.served import Served

# Drives one trial: endpoint, rate in requests per second, number of the trial; None when it was interrupted.
TryRate = Callable[[Served, float, int], Judged | None]
MS_PER_S = 1000


@dataclass(frozen=True)
class TrialRecord:
    """One trial as it is reported. Latencies in milliseconds by quantile; `reasons` say why it missed or is invalid."""

    rate_rps: float
    outcome: Outcome
    achieved_rps: float
    error_ratio: float
    latency_ms: dict[str, float]
    reasons: tuple[str, ...]


@dataclass(frozen=True)
class TargetLoad:
    """The endpoint at the load that it should carry in earnest: what an autoscaler should see then.

    `queue_ms` is what a request waits in each model's queue, by model; `pending` is how many wait on average, by
    Little's law the rate times the wait. Both are None where the server does not say.
    """

    rate_rps: float
    latency_ms: dict[str, float]
    met: bool
    queue_ms: dict[str, float] | None
    pending: float | None


@dataclass
class Search:
    """One endpoint's search. `found` is None while it goes on, and for good when it was interrupted."""

    served: Served
    trials: list[TrialRecord] = field(default_factory=list)
    found: Found | None = None
    target: TargetLoad | None = None


def search_all(
    endpoints: Sequence[Served],
    plan: Plan,
    try_rate: TryRate,
    *,
    is_ready: Callable[[Served], bool] = lambda _: True,
    on_trial: Callable[[Search], None] = lambda _: None,
) -> list[Search]:
    """A search for every endpoint, one trial each in turns, until all are found or a trial is interrupted.

    `is_ready` is asked when not one request of a trial was answered: a server that is gone has no capacity to search.
    """
    searches = [Search(served) for served in endpoints]
    while under_way := [search for search in searches if search.found is None]:
        for search in under_way:
            step = next_rate([_as_trial(trial) for trial in search.trials], plan)
            if isinstance(step, Found):
                search.found = step
                continue
            judged = try_rate(search.served, step, len(search.trials))
            if judged is None:
                return searches
            search.trials.append(record_of(step, judged))
            on_trial(search)
            if search.trials[-1].error_ratio == 1 and not is_ready(search.served):
                search.found = _lost(search.trials)
    return searches


def _lost(trials: Sequence[TrialRecord]) -> Found:
    met = [trial.rate_rps for trial in trials if trial.outcome is Outcome.PASSED]
    return Found(Limit.LOST, None, max(met, default=0.0))


def load_at_target(search: Search, utilisation: float, try_rate: TryRate) -> None:
    """Drive `utilisation` times the lower bound of the capacity once more and note what the server says; does nothing
    where no capacity was found.
    """
    if search.found is None or search.found.capacity is None:
        return
    rate_rps = utilisation * search.found.capacity.low
    judged = try_rate(search.served, rate_rps, len(search.trials))
    if judged is not None:
        search.target = _target(rate_rps, judged)


def record_of(rate_rps: float, judged: Judged) -> TrialRecord:
    """The trial as it is reported."""
    measured = judged.measured
    return TrialRecord(
        rate_rps=rate_rps,
        outcome=judged.verdict.outcome,
        achieved_rps=measured.achieved_rps,
        error_ratio=measured.error_ratio or 0.0,
        latency_ms=dict(measured.latency_ms),
        reasons=_reasons(judged),
    )


def _reasons(judged: Judged) -> tuple[str, ...]:
    missed = [result for result in judged.verdict.results if not result.met]
    sentences = tuple(
        f"{result.name} {math.nan if result.measured is None else result.measured:.4g}, limit {result.limit:g}"
        for result in missed
    )
    return judged.verdict.invalid_reasons or (*sentences, *tuple(judged.measured.errors_by_message)[:1])


def _as_trial(record: TrialRecord) -> Trial:
    median_ms = record.latency_ms.get("p50", 0.0)
    return Trial(record.rate_rps, record.outcome, MS_PER_S / median_ms if median_ms else 0.0)


def _target(rate_rps: float, judged: Judged) -> TargetLoad:
    met = judged.verdict.outcome is Outcome.PASSED
    phases = judged.driven.server
    if phases is None:
        return TargetLoad(rate_rps, dict(judged.measured.latency_ms), met, None, None)
    queue_ms = {name: model.queue_us / MS_PER_S for name, model in (phases.models or {"": phases.task}).items()}
    pending = rate_rps * sum(queue_ms.values()) / MS_PER_S
    return TargetLoad(rate_rps, dict(judged.measured.latency_ms), met, queue_ms, pending)
