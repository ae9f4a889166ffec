"""A slowdown is found on a noisy machine, and noise is not taken for one."""

import json
from collections.abc import Callable

import pytest
from simulated import NoisyMachine, SimulatedDriver, SimulatedServer, lognormal

from loadtests.compare.document import comparison_text
from loadtests.compare.judgement import Answer, Comparison, Gate, Pair, Slice, compare_pairs
from loadtests.compare.measure import measure_pairs
from loadtests.compare.order import first_sides
from loadtests.judged import Judged
from loadtests.outcome import Outcome

AskOf = Callable[[SimulatedDriver], Callable[..., Judged | None]]


def compared(ask_of: AskOf, seed: int, slowdown: float, **planted: float) -> tuple[list[Pair], Comparison]:
    """Two instances of 20 ms, log-normal; the machine wanders by 7 % and one slice in twenty is half as slow again."""
    servers = {
        "a": SimulatedServer(lognormal(0.02, 0.4), 2, seed=2 * seed),
        "b": SimulatedServer(lognormal(0.02, 0.4), 2, slowdown=slowdown, seed=2 * seed + 1, **planted),
    }
    ask = ask_of(SimulatedDriver(servers, NoisyMachine(seed)))
    return measure_pairs(
        16, 48, Gate(), lambda side, number: ask(side, seed=100 * seed + number), seed=seed, on_pair=lambda _: None
    )


def test_planted_slowdowns_are_found_and_noise_is_not_one(ask_of: AskOf) -> None:
    found = [compared(ask_of, seed, 1.15)[1].answer for seed in range(20)]
    alarms = [compared(ask_of, seed, 1.0)[1].answer for seed in range(20)]
    assert found.count(Answer.SLOWER) >= 19, found
    assert alarms.count(Answer.SLOWER) <= 1, alarms
    assert alarms.count(Answer.NOT_SLOWER) >= 18, alarms


def test_means_of_unpaired_slices_would_not_find_it(ask_of: AskOf) -> None:
    """What pairing is for: within one side the slices differ by more than the slowdown that the pairs find."""
    pairs, comparison = compared(ask_of, 3, 1.15)
    p50s_ms = [pair.a.latency_ms["p50"] for pair in pairs]
    assert max(p50s_ms) / min(p50s_ms) > 1.15
    assert comparison.answer is Answer.SLOWER
    assert comparison.ratios["p50"].low < 1.15 < comparison.ratios["p50"].high


def test_failures_of_b_are_not_taken_for_speed(ask_of: AskOf) -> None:
    _, comparison = compared(ask_of, 0, 1.0, failing=0.6)
    assert comparison.ratios["p50"].high < 1
    assert comparison.answer is Answer.FAILING
    assert comparison.answer.outcome is Outcome.MISSED


def test_each_side_is_first_as_often(ask_of: AskOf) -> None:
    for seed in range(10):
        order = first_sides(16, seed)
        assert order.count("a") == order.count("b") == 8
        assert all(set(order[place : place + 2]) == {"a", "b"} for place in range(0, 16, 2))
    assert len({first_sides(16, seed) for seed in range(10)}) > 5


def test_both_of_a_pair_get_the_same_schedule(ask_of: AskOf) -> None:
    driver = SimulatedDriver({side: SimulatedServer(lognormal(0.02, 0.1), 2) for side in "ab"})
    ask = ask_of(driver)
    measure_pairs(6, 6, Gate(), lambda side, number: ask(side, seed=number), seed=0, on_pair=lambda _: None)
    seeds = [load.seed for _, load in driver.loads]
    assert seeds[::2] == seeds[1::2] == list(range(6))


def pairs_of(ratios: list[float], **b: object) -> list[Pair]:
    return [
        Pair(Slice({"p50": 20.0}, 100, 0), Slice({"p50": 20.0 * ratio}, 100, 0, **b), "a")  # type: ignore[arg-type]
        for ratio in ratios
    ]


def test_a_sure_slowdown_that_is_too_small_to_count_passes() -> None:
    comparison = compare_pairs(pairs_of([1.019, 1.021] * 8), Gate())
    assert comparison.ratios["p50"].low > 1
    assert comparison.answer is Answer.NOT_SLOWER


def test_pairs_that_do_not_tell_are_undecided_and_no_pass() -> None:
    comparison = compare_pairs(pairs_of([0.5, 2.0, 1.4, 0.7] * 4), Gate())
    assert comparison.answer is Answer.UNDECIDED
    assert comparison.answer.outcome.exit_code == 2
    assert "--pairs" in comparison.reason


def test_slices_of_a_late_generator_are_left_out_and_too_many_decide_nothing() -> None:
    good, late = pairs_of([1.0] * 10), pairs_of([3.0] * 4, invalid_reason="the generator was late")
    assert compare_pairs([*good, *late], Gate()).answer is Answer.NOT_SLOWER
    comparison = compare_pairs([*good, *late, *late], Gate())
    assert comparison.answer is Answer.UNDECIDED
    assert "the generator was late" in comparison.reason


def test_an_interruption_leaves_the_whole_pairs(ask_of: AskOf) -> None:
    servers = {side: SimulatedServer(lognormal(0.02, 0.1), 2) for side in "ab"}
    ask = ask_of(SimulatedDriver(servers, interrupt_after=9))
    pairs, comparison = measure_pairs(
        16, 16, Gate(), lambda side, number: ask(side, seed=number), seed=0, on_pair=lambda _: None
    )
    assert len(pairs) == 4
    assert comparison.answer is Answer.UNDECIDED
    document = json.loads(comparison_text(comparison, pairs, Gate(), {}))
    assert document["exit_code"] == 2
    assert len(document["pairs"]) == 4


def test_an_interrupted_comparison_never_passes(ask_of: AskOf) -> None:
    servers = {side: SimulatedServer(lognormal(0.02, 0.1), 2) for side in "ab"}
    ask = ask_of(SimulatedDriver(servers, interrupt_after=24))
    pairs, comparison = measure_pairs(
        16, 16, Gate(), lambda side, number: ask(side, seed=number), seed=0, on_pair=lambda _: None
    )
    assert compare_pairs(pairs, Gate()).answer is Answer.NOT_SLOWER
    assert comparison.answer is Answer.UNDECIDED
    assert comparison.reason == "The comparison was interrupted after 12 pairs."


@pytest.mark.parametrize(("side", "answer"), [("a", Answer.UNDECIDED), ("b", Answer.FAILING)])
def test_an_endpoint_that_ends_ends_the_comparison(ask_of: AskOf, side: str, answer: Answer) -> None:
    servers = {name: SimulatedServer(lognormal(0.02, 0.1), 2, failing=float(name == side)) for name in "ab"}
    ask = ask_of(SimulatedDriver(servers))
    pairs, comparison = measure_pairs(
        16, 16, Gate(), lambda name, number: ask(name, seed=number), seed=0, on_pair=lambda _: None
    )
    assert len(pairs) == 1
    assert comparison.answer is answer
    assert comparison.reason.startswith(f"{side.upper()} answered none")
