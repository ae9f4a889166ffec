"""What rises for good fails a soak; noise, a burst and what levels off do not."""

import json
import os
from collections.abc import Callable
from xml.etree import ElementTree

import numpy as np
import pytest
from simulated import NoisyMachine, SimulatedDriver, SimulatedServer, lognormal

from loadtests.judged import Judged
from loadtests.junit_questions import cases_text
from loadtests.outcome import Outcome
from loadtests.served import Served
from loadtests.soak.cases import cases_of
from loadtests.soak.command import _parser
from loadtests.soak.document import soak_text
from loadtests.soak.drift import latency_series
from loadtests.soak.judgement import (
    DESCRIPTORS,
    MEMORY,
    P50,
    PENDING,
    QUEUE,
    Series,
    Watched,
    find_trends,
    judge_soak,
)
from loadtests.soak.metrics import QueueCounts, parse_queue, read_queue
from loadtests.soak.process import Holdings, holdings
from loadtests.soak.watcher import Watcher
from loadtests.verdict import ObjectiveResult, Verdict

TIMES_S = np.arange(600.0)
GOOD_LOAD = Verdict((), ())
Curve = Callable[[np.random.Generator], np.ndarray]

STEADY: dict[str, tuple[Watched, Curve]] = {
    "noise": (MEMORY, lambda rng: 400 + rng.normal(0, 30, 600)),
    "sawtooth of a collector": (MEMORY, lambda rng: 400 + (TIMES_S * 3) % 90 + rng.normal(0, 2, 600)),
    "arena that fills": (MEMORY, lambda rng: 400 + 200 * (1 - np.exp(-TIMES_S / 60)) + rng.normal(0, 5, 600)),
    "one step at the start": (MEMORY, lambda rng: 400 + 100.0 * (TIMES_S > 100) + rng.normal(0, 5, 600)),
    "leak too small to count": (MEMORY, lambda rng: 400 + TIMES_S / 100 + rng.normal(0, 0.5, 600)),
    "burst of connections": (DESCRIPTORS, lambda rng: 80 + 40.0 * ((TIMES_S > 400) & (TIMES_S < 440))),
    "busy queue": (PENDING, lambda rng: rng.poisson(3, 600).astype(float)),
    "memory that shrinks": (MEMORY, lambda rng: 800 - TIMES_S / 2 + rng.normal(0, 5, 600)),
}
RISING: dict[str, tuple[Watched, Curve]] = {
    "leak": (MEMORY, lambda rng: 400 + TIMES_S / 6 + rng.normal(0, 30, 600)),
    "leak in steps": (MEMORY, lambda rng: 400 + 16 * np.floor(TIMES_S / 60) + rng.normal(0, 5, 600)),
    "leak under a sawtooth": (MEMORY, lambda rng: 400 + (TIMES_S * 3) % 90 + TIMES_S / 4),
    "descriptors": (DESCRIPTORS, lambda rng: 80 + np.floor(TIMES_S / 20)),
    "queue": (PENDING, lambda rng: rng.poisson(3 + TIMES_S / 100).astype(float)),
    "queue time": (QUEUE, lambda rng: 5 + TIMES_S / 60 + rng.exponential(3, 600)),
}


@pytest.mark.parametrize("name", STEADY)
@pytest.mark.parametrize("seed", range(5))
def test_what_does_not_rise_for_good_passes(name: str, seed: int) -> None:
    watched, curve = STEADY[name]
    findings = find_trends([Series(watched, TIMES_S, curve(np.random.default_rng(seed)))])
    assert not findings[0].rising
    assert judge_soak(GOOD_LOAD, findings).outcome is Outcome.PASSED


@pytest.mark.parametrize("name", RISING)
@pytest.mark.parametrize("seed", range(5))
def test_what_rises_for_good_fails(name: str, seed: int) -> None:
    watched, curve = RISING[name]
    verdict = judge_soak(GOOD_LOAD, find_trends([Series(watched, TIMES_S, curve(np.random.default_rng(seed)))]))
    assert verdict.outcome is Outcome.MISSED
    assert verdict.reasons[0].startswith(f"{watched.name} rises")


@pytest.mark.parametrize(("growth", "rising"), [(0.0, False), (0.8, True)])
def test_latency_that_grows_is_a_trend_and_a_noisy_machine_is_not(
    ask_of: Callable[[SimulatedDriver], Callable[..., Judged | None]], growth: float, rising: bool
) -> None:
    driver = SimulatedDriver({"": SimulatedServer(lognormal(0.02, 0.4), 2, growth=growth)}, NoisyMachine())
    run = ask_of(driver)("", rate_rps=20, duration_s=300)
    assert run is not None
    findings = find_trends(latency_series(run.driven.measured))
    assert {finding.watched.name: finding.rising for finding in findings}[P50.name] is rising


def test_a_soak_too_short_to_tell_is_invalid_and_no_pass() -> None:
    verdict = judge_soak(GOOD_LOAD, find_trends([Series(MEMORY, TIMES_S[:5], TIMES_S[:5])]))
    assert verdict.outcome is Outcome.INVALID
    assert "soak longer" in verdict.reasons[0]


def test_a_missed_objective_is_missed_however_short_the_series() -> None:
    """A server that dies in the first minute leaves few samples; that is its fault and not the soak's."""
    load = Verdict((ObjectiveResult("error_ratio", "max", 0.0, 0.9),), ())
    verdict = judge_soak(load, find_trends([Series(MEMORY, TIMES_S[:5], TIMES_S[:5])]))
    assert verdict.outcome is Outcome.MISSED
    assert verdict.reasons[0] == "error_ratio missed its objective."
    assert "soak longer" in verdict.reasons[1]


def test_what_was_to_be_watched_and_never_seen_is_no_pass() -> None:
    served = Served("", pid=1, metrics_url="http://server/metrics")
    watcher = Watcher(served, "vessels", 1.0, Clock(), lambda _: None, lambda *_: None)
    watcher.tick()
    series = watcher.series(since_s=0)
    assert [each.watched for each in series] == [MEMORY, DESCRIPTORS, PENDING, QUEUE]
    assert judge_soak(GOOD_LOAD, find_trends(series)).outcome is Outcome.INVALID
    assert Watcher(Served(""), "vessels").series(since_s=0) == []


def test_a_rise_is_told_of_an_invalid_load_too() -> None:
    rising = find_trends([Series(MEMORY, TIMES_S, 400 + TIMES_S)])
    verdict = judge_soak(Verdict((), ("the generator was late.",)), rising)
    assert verdict.outcome is Outcome.INVALID
    assert verdict.reasons[0] == "the generator was late."
    assert "memory rises" in verdict.reasons[1]


METRICS = """\
# HELP nv_inference_queue_duration_us Cumulative inference queuing duration in microseconds
# TYPE nv_inference_queue_duration_us counter
nv_inference_queue_duration_us{model="vessels",version="1"} 0
nv_inference_queue_duration_us{model="vessels_network",version="1"} 1500000
nv_inference_request_success{model="vessels",version="1"} 1000
nv_inference_request_success{model="vessels_network",version="1"} 1000
nv_inference_pending_request_count{model="vessels_network",version="1"} 3
nv_inference_pending_request_count{model="vessels_preprocess",version="1"} 2
nv_cpu_utilization 0.5
"""


def test_the_queue_is_read_from_tritons_text() -> None:
    assert parse_queue(METRICS, "vessels") == QueueCounts(pending=5, queue_us=1_500_000, answered=1000)
    assert parse_queue(METRICS, "aerial") is None
    assert parse_queue("<html>", "vessels") is None
    assert read_queue("http://127.0.0.1:9/metrics", "vessels") is None


def test_holdings_are_of_the_process_and_its_children() -> None:
    before = holdings(os.getpid())
    with open(os.devnull), open(os.devnull):  # noqa: PTH123
        held = holdings(os.getpid())
    assert before is not None
    assert held is not None
    assert held.descriptors == before.descriptors + 2
    assert 10 < held.memory_mib < 100_000
    assert holdings(2**22 + 1) is None


class Clock:
    def __init__(self) -> None:
        self.now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


def test_the_watcher_samples_when_due_and_says_what_it_lost() -> None:
    clock = Clock()
    counts = [QueueCounts(1, 0, 0), QueueCounts(2, 30_000, 10), QueueCounts(3, 30_000, 10), None]
    held = [Holdings(100, 7), Holdings(101, 8), Holdings(102, 9), None]
    served = Served("", pid=1, metrics_url="http://server/metrics")
    watcher = Watcher(
        served, "vessels", 1.0, clock, lambda _: held[int(clock.now_s)], lambda *_: counts[int(clock.now_s)]
    )
    for tenth in range(40):
        clock.now_s = tenth / 10
        watcher.tick()
    series = {each.watched: each for each in watcher.series(since_s=0.5)}
    assert series[MEMORY].values.tolist() == [101, 102]
    assert series[DESCRIPTORS].values.tolist() == [8, 9]
    assert series[PENDING].values.tolist() == [2, 3]
    # 30 ms over ten requests; where none was answered there is no time per request.
    assert series[QUEUE].values.tolist() == [3.0]
    assert len(watcher.lost) == 2


def test_the_document_holds_each_series_thinned() -> None:
    series = [Series(MEMORY, TIMES_S, 400 + TIMES_S)]
    findings = find_trends(series)
    document = json.loads(soak_text(judge_soak(GOOD_LOAD, findings), GOOD_LOAD, findings, series, {"task": "vessels"}))
    assert document["exit_code"] == 1
    assert document["trends"][0]["rising"] is True
    assert len(document["trends"][0]["times_s"]) == len(document["trends"][0]["values"]) == 40


def test_another_limit_is_taken_by_name_and_an_unknown_name_refused(capsys: pytest.CaptureFixture[str]) -> None:
    words = ["--url=host:8001", "--allow", "memory=512", "--allow", "latency p95=40"]
    allowed = _parser().parse_args(words).allow
    assert allowed["memory"].allowed(10_000) == 512
    assert allowed["latency p95"].allowed(1) == 40
    with pytest.raises(SystemExit):
        _parser().parse_args(["--url=host:8001", "--allow", "memroy=512"])
    assert "memory, file descriptors" in capsys.readouterr().err


def test_each_objective_and_trend_is_a_test_case() -> None:
    findings = find_trends([Series(MEMORY, TIMES_S, 400 + TIMES_S), Series(P50, TIMES_S[:5], TIMES_S[:5])])
    load = Verdict((ObjectiveResult("p99_ms", "max", 100, 120),), ())
    suite = ElementTree.fromstring(cases_text("soak.vessels", cases_of(load, findings)))[0]  # noqa: S314
    assert (suite.attrib["tests"], suite.attrib["failures"], suite.attrib["errors"]) == ("4", "2", "1")
    kinds = {case.attrib["name"]: case[0].tag for case in suite}
    assert list(kinds) == ["p99_ms", "steady_memory", "steady_latency_p50", "valid_run"]
    assert list(kinds.values()) == ["failure", "failure", "error", "system-out"]
    invalid = cases_of(Verdict(load.results, ("the generator was late.",)), ())
    assert [(case.name, case.outcome) for case in invalid] == [("valid_run", Outcome.INVALID)]
