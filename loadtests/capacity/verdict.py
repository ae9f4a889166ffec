"""What the searches of a `capacity` come to, as an exit code and sentences."""

from collections.abc import Sequence
from dataclasses import dataclass

from loadtests.capacity.measure import Search
from loadtests.capacity.search import Limit
from loadtests.junit_questions import Case
from loadtests.outcome import Outcome

_WHY_NONE = {
    Limit.CEILING: "every rate up to --ceiling-rps met the objectives: raise it.",
    Limit.FLOOR: "no rate met the objectives: try `loadtests run` at a low --rate to see why.",
    Limit.GENERATOR: "the generator could not keep up before the server gave in: give it cores of its own.",
    Limit.LOST: "the server ended under load; its own log says why.",
    Limit.TRIALS: "the trials were used up before one met and one missed the objectives: raise --max-trials.",
}
_BY_LIMIT = {
    Limit.SERVER: Outcome.PASSED,
    Limit.CEILING: Outcome.PASSED,
    Limit.FLOOR: Outcome.MISSED,
    Limit.LOST: Outcome.MISSED,
    Limit.GENERATOR: Outcome.INVALID,
}


@dataclass(frozen=True)
class CapacityVerdict:
    """The outcome of all searches, the worst of them; and a test case for each."""

    outcome: Outcome
    cases: tuple[Case, ...]

    @property
    def reasons(self) -> tuple[str, ...]:
        """What there is to say of those that need it."""
        return tuple(case.sentence for case in self.cases if case.sentence)


def verdict_of(searches: Sequence[Search], at_least_rps: float | None = None) -> CapacityVerdict:
    """Missed when a lower bound is under `at_least_rps` or no rate met; invalid when a search found nothing."""
    cases = tuple(Case(search.served.name, *_judge(search, at_least_rps)) for search in searches)
    worst = max((case.outcome for case in cases), key=lambda outcome: outcome.exit_code, default=Outcome.INVALID)
    return CapacityVerdict(worst, cases)


def _judge(search: Search, at_least_rps: float | None) -> tuple[Outcome, str]:
    found, name = search.found, search.served.name
    if found is None:
        return Outcome.INVALID, f"{name}: the search was interrupted after {len(search.trials)} trials."
    if found.capacity is None and found.limit is not Limit.CEILING:
        return _BY_LIMIT.get(found.limit, Outcome.INVALID), f"{name}: {_WHY_NONE[found.limit]}"
    sure_rps = found.capacity.low if found.capacity else found.highest_met_rps
    if at_least_rps is not None and sure_rps < at_least_rps:
        return Outcome.MISSED, f"{name}: {sure_rps:.3g} requests/s are sure, {at_least_rps:g} were asked for."
    if found.capacity is None:
        return Outcome.PASSED, f"{name}: {_WHY_NONE[Limit.CEILING]}"
    return Outcome.PASSED, _remark(search, found.limit)


def _remark(search: Search, limit: Limit) -> str:
    if search.target is not None and not search.target.met:
        return f"{search.served.name}: at its target load the objectives were missed: measure on a quieter machine."
    if limit is Limit.TRIALS:
        return f"{search.served.name}: the trials were used up before the interval was --precision narrow."
    if limit is Limit.GENERATOR:
        return f"{search.served.name}: the generator fell behind before the interval was --precision narrow."
    return ""
