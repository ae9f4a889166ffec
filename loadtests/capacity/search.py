"""Which rate to try next, and when to stop: the search for a capacity without the load.

Stateless: every decision follows from the trials so far, so an interrupted search has lost nothing and a test needs
neither server nor clock.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from loadtests.estimates.threshold import Interval, threshold
from loadtests.outcome import Outcome

GROWTH = 2.0
# Room beside the tried rates, in case the outermost trial was luck.
MARGIN = 1.5
# Two trials in a row whose generator was late: the next one would be late too.
INVALID_IN_A_ROW = 2
FEWEST_TRIALS = 8


class Limit(StrEnum):
    """What the search ended at."""

    SERVER = "server"
    CEILING = "ceiling"
    FLOOR = "floor"
    GENERATOR = "generator"
    TRIALS = "trials"
    LOST = "lost"


@dataclass(frozen=True)
class Plan:
    """Where to search and how sure to be. Rates in requests per second; `precision` is the width of the interval that
    ends the search, as a share of its lower bound.
    """

    start_rps: float
    floor_rps: float
    ceiling_rps: float
    precision: float = 0.20
    confidence: float = 0.95
    max_trials: int = 24


@dataclass(frozen=True)
class Trial:
    """One bounded piece of load. `single_stream_rps` is what one caller after another would get, 1 / median latency."""

    rate_rps: float
    outcome: Outcome
    single_stream_rps: float = 0.0


@dataclass(frozen=True)
class Found:
    """The end of a search. `capacity` is None when no rate met the objectives or none missed them."""

    limit: Limit
    capacity: Interval | None
    highest_met_rps: float


def next_rate(trials: Sequence[Trial], plan: Plan) -> float | Found:
    """The rate to try next, or what was found.

    First a bracket: up by GROWTH, or at once to what the median latency promises, until a trial misses; down until one
    meets. Then where `threshold` halves belief, until its interval is `precision` narrow or the trials are used up.
    """
    met = [trial.rate_rps for trial in trials if trial.outcome is Outcome.PASSED]
    missed = [trial.rate_rps for trial in trials if trial.outcome is Outcome.MISSED]
    highest = max(met, default=0.0)
    if _generator_gave_up(trials):
        return Found(Limit.GENERATOR, capacity_of(trials, plan), highest)
    if len(trials) >= plan.max_trials:
        return Found(Limit.TRIALS, capacity_of(trials, plan), highest)
    if not missed:
        return _upwards(trials, highest, plan)
    if not met:
        return _downwards(min(missed), plan)
    return _narrowed(trials, highest, plan)


def capacity_of(trials: Sequence[Trial], plan: Plan) -> Interval | None:
    """The capacity that the trials so far tell, in requests per second; None while no trial met or none missed."""
    told = [trial for trial in trials if trial.outcome is not Outcome.INVALID]
    passed = [trial.outcome is Outcome.PASSED for trial in told]
    if len(set(passed)) < 2:
        return None
    rates = [trial.rate_rps for trial in told]
    bounds = (max(min(rates) / MARGIN, plan.floor_rps), min(max(rates) * MARGIN, plan.ceiling_rps))
    return threshold(rates, passed, bounds=bounds, confidence=plan.confidence)


def _generator_gave_up(trials: Sequence[Trial]) -> bool:
    last = trials[-INVALID_IN_A_ROW:]
    return len(last) == INVALID_IN_A_ROW and all(trial.outcome is Outcome.INVALID for trial in last)


def _upwards(trials: Sequence[Trial], highest: float, plan: Plan) -> float | Found:
    if not highest:
        return plan.start_rps
    if highest >= plan.ceiling_rps:
        return Found(Limit.CEILING, None, highest)
    promised = max(trial.single_stream_rps for trial in trials)
    return min(max(highest * GROWTH, promised), plan.ceiling_rps)


def _downwards(lowest: float, plan: Plan) -> float | Found:
    if lowest <= plan.floor_rps:
        return Found(Limit.FLOOR, None, 0.0)
    return max(lowest / GROWTH, plan.floor_rps)


def _narrowed(trials: Sequence[Trial], highest: float, plan: Plan) -> float | Found:
    capacity = capacity_of(trials, plan)
    if capacity is None:  # pragma: no cover - both kinds of trial are there
        raise AssertionError("a bracket without both ends")
    if len(trials) >= FEWEST_TRIALS and capacity.relative_width <= plan.precision:
        return Found(Limit.SERVER, capacity, highest)
    return capacity.estimate
