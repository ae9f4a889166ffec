from pathlib import Path

import numpy as np
import pytest
from load_rows import RequestRow, recording

from benchmarks.loadgenerator import Pace, PerfAnalyzer, Turn, judge, pace
from loadtests.drive import Drive, Load

NS_PER_MS = 1_000_000


def _pace(rate_rps: float, achieved_rps: float, lag_p99_ms: float) -> Pace:
    return Pace(rate_rps, achieved_rps, 0.1, lag_p99_ms, 1, 2, 300, 0)


def _met(paces: list[Pace], turns: list[Turn]) -> list[bool]:
    return [bar.met for bar in judge(paces, turns)]


def test_the_pace_is_of_the_measured_time_and_the_cpu_of_all_of_it() -> None:
    rows = [RequestRow(i, i * NS_PER_MS, i * NS_PER_MS + 2, i * NS_PER_MS + NS_PER_MS) for i in range(2000)]
    load = Load((), 1000, 1, 1)
    found = pace(Drive(load, np.arange(2000) * NS_PER_MS, recording(rows), generator_cpu_ratio=0.25))
    assert found.achieved_rps == pytest.approx(1000)
    assert found.latency_p99_ms == pytest.approx(1)
    assert found.lag_p99_ms == pytest.approx(2e-6)
    assert found.cpu_us == pytest.approx(250)


@pytest.mark.parametrize(
    ("paces", "met"),
    [
        ([_pace(500, 499, 1), _pace(1500, 1498, 4)], True),
        ([_pace(500, 499, 1), _pace(1500, 1498, 6)], False),
        ([_pace(500, 499, 1), _pace(1500, 1200, 4)], False),
        ([], False),
    ],
)
def test_a_rate_counts_when_it_is_kept_without_lag(paces: list[Pace], met: bool) -> None:
    assert _met(paces, []) == [met]


@pytest.mark.parametrize(
    ("turn", "met"), [(Turn(0.55, 1, 0.3, 1.2), [True, True]), (Turn(0.61, 12, 0.3, 10), [False, False])]
)
def test_both_agree_within_a_tenth_or_three_tenths_of_a_millisecond(turn: Turn, met: list[bool]) -> None:
    assert _met([], [turn])[1:] == met


def test_a_perf_analyzer_that_gives_no_figures_says_why(tmp_path: Path) -> None:
    binary = tmp_path / "pa"
    binary.write_text("#!/bin/sh\necho no libb64\nexit 1\n")
    binary.chmod(0o755)
    with pytest.raises(RuntimeError, match="no libb64"):
        PerfAnalyzer(binary, None).p50_p99_ms("127.0.0.1:1", 10, 1, tmp_path)
