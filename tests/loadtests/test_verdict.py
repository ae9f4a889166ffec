from dataclasses import replace

import numpy as np
import pytest
from load_rows import RequestRow, recording

from loadtests.measurements import measure, quantiles_ms
from loadtests.outcome import Outcome
from loadtests.settings import DEFAULT_SLO
from loadtests.slo import Objectives, Slo, read_slo
from loadtests.verdict import ObjectiveResult, judge

SHIPPED = read_slo(DEFAULT_SLO)
GENEROUS = Objectives(error_ratio=1.0, generator_lag_p99_ms=50)


def _missed(result):
    return {objective.name for objective in result.verdict.results if not objective.met}


def test_a_fast_server_passes(make_rows, make_result) -> None:
    result = make_result(make_rows())
    assert result.verdict.outcome is Outcome.PASSED
    assert _missed(result) == set()
    assert result.measured.measured == 200
    assert result.measured.warm_up == 20


@pytest.mark.parametrize(
    ("rows", "missed"),
    [
        ({"latencies_ms": (600,)}, {"p50_ms"}),
        ({"latencies_ms": (100,) * 9 + (1200,)}, {"p95_ms"}),
        ({"latencies_ms": (100,) * 97 + (1600,) * 3}, {"p99_ms"}),
        ({"errors": (None,) * 19 + ("unavailable",)}, {"error_ratio"}),
        ({"errors": (None,) * 4 + ("unavailable",)}, {"error_ratio", "achieved_rate_ratio"}),
    ],
)
def test_each_objective_can_be_missed(make_rows, make_result, rows, missed) -> None:
    result = make_result(make_rows(**rows))
    assert _missed(result) == missed
    assert result.verdict.outcome is Outcome.MISSED


def test_a_server_that_falls_behind_misses_the_rate(make_rows, make_result) -> None:
    rows = make_rows()
    rows[-1] = replace(rows[-1], finished_ns=rows[-1].finished_ns + 5 * 10**9)
    assert _missed(make_result(rows)) == {"achieved_rate_ratio"}


def test_a_run_too_short_to_compare_an_answer_blames_no_server(make_rows, make_result) -> None:
    verdict = make_result(make_rows(), agreements=()).verdict
    assert verdict.outcome is Outcome.INVALID
    assert verdict.invalid_reasons[0].startswith("no answer was compared")
    failing = make_result(make_rows(errors=("unavailable",)), agreements=()).verdict
    assert failing.outcome is Outcome.MISSED


def test_timeouts_count_in_the_latency(make_rows, make_result) -> None:
    rows = make_rows(latencies_ms=(10,) * 9 + (10_000,), errors=(None,) * 9 + ("deadline exceeded",))
    assert make_result(rows).measured.latency_ms["p99"] == pytest.approx(10_000)
    assert "p99_ms" in _missed(make_result(rows))


def test_the_warm_up_is_not_judged(make_rows, make_result) -> None:
    rows = make_rows()
    slow = [replace(row, finished_ns=row.intended_ns + 2 * 10**9, error="cold") for row in rows[:20]]
    assert make_result(slow + rows[20:]).verdict.outcome is Outcome.PASSED


def test_a_late_generator_makes_the_run_invalid(make_rows, make_result) -> None:
    verdict = make_result(make_rows(lag_ms=80)).verdict
    assert verdict.outcome is Outcome.INVALID
    assert "generator was late" in verdict.invalid_reasons[0]


def test_a_busy_generator_makes_the_run_invalid(make_rows, make_result) -> None:
    verdict = make_result(make_rows(), cpu_ratio=0.97).verdict
    assert verdict.outcome is Outcome.INVALID
    assert "share the load among more --processes" in verdict.invalid_reasons[0]


def test_a_generator_that_cannot_tell_its_cpu_is_not_judged_by_it(make_rows, make_result) -> None:
    verdict = make_result(make_rows(), cpu_ratio=None).verdict
    assert verdict.outcome is Outcome.PASSED
    assert "generator_cpu_ratio" not in {each.name for each in verdict.results}


@pytest.mark.parametrize(
    ("agreements", "missed"), [((1.0, 0.98), set()), ((1.0, 0.9), {"correct_ratio"}), ((), {"correct_ratio"})]
)
def test_answers_that_are_wrong_or_were_never_compared_miss(make_rows, make_result, agreements, missed) -> None:
    result = make_result(make_rows(), agreements=agreements)
    assert _missed(result) == missed
    assert result.measured.compared == len(agreements)


def test_answers_of_the_warm_up_are_not_judged(make_rows, make_result) -> None:
    rows = make_rows()
    assert make_result(rows[:10], agreements=(0.1, 0.1)).measured.compared == 0
    assert make_result(rows, agreements=(0.1,) * 200).measured.compared == 200
    assert make_result(rows, agreements=(0.1,) * 220).measured.compared == 200


def test_any_quantile_is_judged(make_rows, make_result) -> None:
    objectives = Objectives(latency_ms={"p97.5": 50, "p10": 20}, error_ratio=0, generator_lag_p99_ms=50)
    result = make_result(make_rows(), slo=Slo(load=SHIPPED.load, objectives=objectives))
    judged = [(each.name, each.measured, each.met) for each in result.verdict.results]
    assert judged[:2] == [("p10_ms", 100, False), ("p97.5_ms", 100, False)]


def test_invalid_goes_before_missed(make_rows, make_result) -> None:
    assert make_result(make_rows(latencies_ms=(9000,), lag_ms=80)).verdict.outcome is Outcome.INVALID


@pytest.mark.parametrize("kept", [0, 20])
def test_nothing_measured_is_invalid(make_rows, make_result, kept: int) -> None:
    result = make_result(make_rows()[:kept])
    assert result.verdict.outcome is Outcome.INVALID
    judged = {each.name: each.measured for each in result.verdict.results}
    assert judged.pop("generator_cpu_ratio") == 0.2
    assert set(judged.values()) == {None}


def test_requests_that_were_never_sent_make_the_run_invalid(make_rows) -> None:
    rows: list[RequestRow] = make_rows()
    due_ns = np.array([row.intended_ns for row in rows])
    verdict = judge(measure(recording(rows[:-50]), due_ns, warm_up_s=2, duration_s=20), GENEROUS)
    assert verdict.outcome is Outcome.INVALID
    assert "only 150 of the 200 requests" in verdict.invalid_reasons[0]


def test_a_fault_of_the_generator_makes_the_run_invalid(make_rows) -> None:
    rows = make_rows()
    due_ns = np.array([row.intended_ns for row in rows])
    measured = measure(recording(rows), due_ns, warm_up_s=2, duration_s=20)
    assert judge(measured, GENEROUS).outcome is Outcome.PASSED
    assert judge(measured, GENEROUS, generator_faults=["it crashed."]).outcome is Outcome.INVALID


def test_quantiles_are_observed_latencies() -> None:
    quantiles = quantiles_ms([ms * 1_000_000 for ms in range(1, 101)])
    assert quantiles == {"p50": 50, "p90": 90, "p95": 95, "p99": 99, "p99.9": 100, "max": 100}
    assert quantiles_ms([3_000_000]) == dict.fromkeys(quantiles, 3.0)


@pytest.mark.parametrize(("bound", "measured", "met"), [("max", 5, True), ("max", 5.1, False), ("min", 4.9, False)])
def test_a_limit_that_is_just_reached_holds(bound, measured: float, met: bool) -> None:
    assert ObjectiveResult("x", bound, 5, measured).met is met


def test_outcomes_are_the_exit_codes() -> None:
    assert [outcome.exit_code for outcome in (Outcome.PASSED, Outcome.MISSED, Outcome.INVALID)] == [0, 1, 2]
