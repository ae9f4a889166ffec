"""Measures two endpoints in turns: pairs of short slices, until the pairs answer or there are enough of them."""

from collections.abc import Callable, Sequence
from dataclasses import replace

from loadtests.compare.judgement import Answer, Comparison, Gate, Pair, Slice, compare_pairs
from loadtests.compare.order import first_sides
from loadtests.judged import Judged
from loadtests.outcome import Outcome

# Pairs between two looks at the answer. Each look is paid for with a wider interval, so there are few.
LOOK_EVERY = 8

# Drives one slice: "a" or "b", and the number of its pair; None when it was interrupted.
TrySlice = Callable[[str, int], Judged | None]


def measure_pairs(
    fewest: int, most: int, gate: Gate, try_slice: TrySlice, *, seed: int, on_pair: Callable[[list[Pair]], None]
) -> tuple[list[Pair], Comparison]:
    """At least `fewest` pairs, then LOOK_EVERY more at a time while the answer is undecided, at most `most`.

    A pair that was interrupted is left out, and ends the measurement; so does an endpoint that answers nothing.
    """
    pairs: list[Pair] = []
    looks = sum(_may_look(count, fewest) for count in range(1, most + 1))
    for number, first in enumerate(first_sides(most, seed)):
        pair = _measure_pair(number, first, gate, try_slice)
        if pair is None:
            return pairs, _interrupted(compare_pairs(pairs, gate, looks=looks, seed=seed), len(pairs))
        pairs.append(pair)
        on_pair(pairs)
        if lost := lost_side(pair):
            return pairs, lost
        if _may_look(len(pairs), fewest):
            comparison = compare_pairs(pairs, gate, looks=looks, seed=seed)
            if comparison.answer is not Answer.UNDECIDED:
                return pairs, comparison
    return pairs, compare_pairs(pairs, gate, looks=looks, seed=seed)


def _interrupted(comparison: Comparison, count: int) -> Comparison:
    return replace(comparison, answer=Answer.UNDECIDED, reason=f"The comparison was interrupted after {count} pairs.")


def lost_side(pair: Pair) -> Comparison | None:
    """The end of a comparison one of whose endpoints answers nothing more; None while both answer."""
    for name, half, answer in (("A", pair.a, Answer.UNDECIDED), ("B", pair.b, Answer.FAILING)):
        if half.requests and half.errors == half.requests:
            return Comparison(answer, f"{name} answered none of the {half.requests} requests of its last slice.", {})
    return None


def _may_look(count: int, fewest: int) -> bool:
    return count >= fewest and (count - fewest) % LOOK_EVERY == 0


def _measure_pair(number: int, first: str, gate: Gate, try_slice: TrySlice) -> Pair | None:
    slices: dict[str, Slice] = {}
    for side in (first, "b" if first == "a" else "a"):
        judged = try_slice(side, number)
        if judged is None:
            return None
        slices[side] = slice_of(judged, gate)
    return Pair(slices["a"], slices["b"], first)


def slice_of(judged: Judged, gate: Gate) -> Slice:
    """The figures that are compared. One without the gate's quantile cannot be trusted."""
    measured, verdict = judged.measured, judged.verdict
    reasons: Sequence[str] = verdict.invalid_reasons if verdict.outcome is Outcome.INVALID else ()
    if not reasons and gate.quantile not in measured.latency_ms:
        reasons = ("no request was measured.",)
    return Slice(dict(measured.latency_ms), measured.measured, measured.errors, " ".join(reasons))
