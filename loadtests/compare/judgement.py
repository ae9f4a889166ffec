"""Is B slower than A? Pure judgement of pairs of slices, nothing is measured here."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from loadtests.estimates.ratio import paired_ratio
from loadtests.estimates.threshold import Interval
from loadtests.outcome import Outcome

# Fewer pairs leave the bootstrap too few different resamples.
FEWEST_PAIRS = 6
# Pairs may be lost to a generator that was late; with more lost than this the machine is too busy to measure on.
MAX_LOST_SHARE = 0.34


class Answer(StrEnum):
    """What a comparison says."""

    SLOWER = "slower"
    FAILING = "failing"
    NOT_SLOWER = "not slower"
    UNDECIDED = "undecided"

    @property
    def outcome(self) -> Outcome:
        """Slower or failing misses; undecided is invalid: a gate that cannot tell must not open."""
        missed = self in (Answer.SLOWER, Answer.FAILING)
        return Outcome.MISSED if missed else Outcome.INVALID if self is Answer.UNDECIDED else Outcome.PASSED


@dataclass(frozen=True)
class Slice:
    """One side of a pair: quantiles by name in milliseconds, requests and the failed among them, and why it may not
    be trusted ("" when it may).
    """

    latency_ms: Mapping[str, float]
    requests: int
    errors: int
    invalid_reason: str = ""


@dataclass(frozen=True)
class Pair:
    """Two slices of the same schedule and images, one right after the other; `first` is "a" or "b"."""

    a: Slice
    b: Slice
    first: str

    @property
    def valid(self) -> bool:
        """Whether both halves can be trusted."""
        return not (self.a.invalid_reason or self.b.invalid_reason)


@dataclass(frozen=True)
class Gate:
    """When B counts as slower: surely slower, and by `least_effect` or more. `must_see` is the slowdown that a
    comparison has to be able to exclude, or it answers nothing. Both are shares of A's latency.
    """

    quantile: str = "p50"
    least_effect: float = 0.03
    must_see: float = 0.10
    confidence: float = 0.95
    max_error_ratio: float = 0.0


@dataclass(frozen=True)
class Comparison:
    """The answer with its reason, and B over A for every quantile, that of the gate among them."""

    answer: Answer
    reason: str
    ratios: Mapping[str, Interval]


def compare_pairs(pairs: Sequence[Pair], gate: Gate, *, looks: int = 1, seed: int = 0) -> Comparison:
    """What the pairs say. Pairs with an untrusted half are left out.

    Who looks several times and stops at the first answer has several chances to be wrong: of `looks` looks each gets
    its share of them (Bonferroni), so that the gate's confidence holds for them together.
    """
    gate = replace(gate, confidence=1 - (1 - gate.confidence) / looks)
    valid = [pair for pair in pairs if pair.valid]
    if len(valid) < FEWEST_PAIRS or len(valid) < (1 - MAX_LOST_SHARE) * len(pairs):
        return Comparison(Answer.UNDECIDED, _too_few(pairs, valid), {})
    ratios = {name: _ratio(valid, name, gate, seed) for name in _common_quantiles(valid)}
    answer, reason = _failures(valid, gate) or _speed(ratios[gate.quantile], gate)
    return Comparison(answer, reason, ratios)


def _too_few(pairs: Sequence[Pair], valid: Sequence[Pair]) -> str:
    reasons = [half.invalid_reason for pair in pairs for half in (pair.a, pair.b) if half.invalid_reason]
    why = f": {reasons[0]}" if reasons else "."
    return f"Only {len(valid)} of {len(pairs)} pairs can be trusted, {FEWEST_PAIRS} are the least{why}"


def _common_quantiles(pairs: Sequence[Pair]) -> list[str]:
    """The quantiles that every slice has, each over 0: a ratio needs both."""
    halves = [half for pair in pairs for half in (pair.a, pair.b)]
    return [name for name in halves[0].latency_ms if all(half.latency_ms.get(name, 0.0) > 0 for half in halves)]


def _ratio(pairs: Sequence[Pair], name: str, gate: Gate, seed: int) -> Interval:
    a = [pair.a.latency_ms[name] for pair in pairs]
    b = [pair.b.latency_ms[name] for pair in pairs]
    return paired_ratio(a, b, confidence=gate.confidence, seed=seed)


def _failures(pairs: Sequence[Pair], gate: Gate) -> tuple[Answer, str] | None:
    """A fast failure would pass for a fast answer, so failures are judged first; None when both sides answer."""
    failed = {side: _error_ratio([getattr(pair, side) for pair in pairs]) for side in ("a", "b")}
    if failed["a"] > gate.max_error_ratio:
        share = f"{failed['a']:.2%}"
        return Answer.UNDECIDED, f"{share} of A's requests failed: there is no sound endpoint to compare with."
    if failed["b"] > gate.max_error_ratio:
        return Answer.FAILING, f"{failed['b']:.2%} of B's requests failed, none may beyond {gate.max_error_ratio:.2%}."
    return None


def _error_ratio(slices: Sequence[Slice]) -> float:
    return sum(half.errors for half in slices) / max(1, sum(half.requests for half in slices))


def _speed(ratio: Interval, gate: Gate) -> tuple[Answer, str]:
    least = math.isclose(ratio.estimate, 1 + gate.least_effect) or ratio.estimate > 1 + gate.least_effect
    span = f"{gate.quantile} of B is {_change(ratio.estimate)} ({_change(ratio.low)} to {_change(ratio.high)})"
    if ratio.low > 1 and least:
        return Answer.SLOWER, f"{span}: B is slower than A."
    if ratio.high > 1 + gate.must_see:
        return Answer.UNDECIDED, f"{span}: a slowdown of {gate.must_see:.0%} cannot be excluded; take more --pairs."
    return Answer.NOT_SLOWER, f"{span}: B is not slower than A by what counts."


def _change(ratio: float) -> str:
    return f"{ratio - 1:+.1%}"
