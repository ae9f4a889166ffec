import time
from pathlib import Path

import numpy as np
import pytest

from loadtests.arrivals import NS_PER_S, Spacing, arrival_times_ns, read_trace, shape_from
from loadtests.arrivals.times import MAX_ARRIVALS
from loadtests.errors import InvalidScheduleError


def test_poisson_arrivals_come_at_the_rate_and_spread_like_a_poisson_process() -> None:
    times_ns = arrival_times_ns(rate_rps=50, span_s=200, arrivals="poisson", seed=1)
    gaps_s = np.diff(times_ns) / NS_PER_S
    assert len(times_ns) == pytest.approx(10_000, rel=0.03)
    # The gaps of a Poisson process are exponential: their standard deviation is their mean.
    assert gaps_s.std() == pytest.approx(gaps_s.mean(), rel=0.05)


@pytest.mark.parametrize(("rate_rps", "span_s", "count"), [(2, 23, 46), (0.1, 30, 3), (3, 1.1, 4), (0.01, 5, 1)])
def test_constant_arrivals_are_evenly_spaced_from_zero(rate_rps: float, span_s: float, count: int) -> None:
    times_ns = arrival_times_ns(rate_rps=rate_rps, span_s=span_s, arrivals="constant", seed=0)
    np.testing.assert_allclose(times_ns, np.arange(count) / rate_rps * NS_PER_S, atol=1)


@pytest.mark.parametrize("arrivals", ["poisson", "constant"])
def test_arrivals_ascend_within_the_span(arrivals: Spacing) -> None:
    times_ns = arrival_times_ns(rate_rps=40, span_s=10, arrivals=arrivals, seed=3)
    assert times_ns.dtype == np.int64
    assert (np.diff(times_ns) >= 0).all()
    assert times_ns[0] >= 0
    assert times_ns[-1] < 10 * NS_PER_S


def test_a_seed_fixes_the_arrivals() -> None:
    first, again, other = (
        arrival_times_ns(rate_rps=5, span_s=10, arrivals="poisson", seed=seed).tolist() for seed in (7, 7, 8)
    )
    assert first == again
    assert first != other


def test_too_many_arrivals_are_refused() -> None:
    with pytest.raises(InvalidScheduleError, match=r"20000001 requests.*lower --rate"):
        arrival_times_ns(rate_rps=1, span_s=MAX_ARRIVALS + 1, arrivals="poisson", seed=0)


@pytest.mark.parametrize("spacing", ["constant", "poisson"])
@pytest.mark.parametrize(
    ("text", "shares"),
    [
        ("ramp:start=0", [0.05, 0.15, 0.25, 0.35, 0.45, 0.55, 0.65, 0.75, 0.85, 0.95]),
        ("steps:count=2", [0.5] * 5 + [1] * 5),
        ("spike:base=0.1,at=0.25,width=0.1", [0.1, 0.1, 1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1]),
        ("diurnal:trough=0,periods=5", [0.5] * 10),
    ],
)
def test_a_shape_sets_the_rate_of_each_part_of_the_measured_time(spacing: Spacing, text: str, shares) -> None:
    shape = shape_from(text)
    times_ns = arrival_times_ns(rate_rps=1000, span_s=110, arrivals=spacing, seed=2, shape=shape, warm_up_s=10)
    counts = np.histogram(times_ns / NS_PER_S, 11, (0, 110))[0]
    np.testing.assert_allclose(
        counts[1:], np.array(shares) * 10_000, rtol=0.02, atol=5 if spacing == "constant" else 300
    )
    assert counts[0] == pytest.approx(float(shape.share(np.zeros(1))[0]) * 10_000, abs=300)
    assert (np.diff(times_ns) >= 0).all()


def test_a_shape_of_the_whole_rate_is_the_steady_schedule() -> None:
    steady = arrival_times_ns(rate_rps=20, span_s=10, arrivals="constant", seed=0)
    ramp = arrival_times_ns(rate_rps=20, span_s=10, arrivals="constant", seed=0, shape=shape_from("ramp:start=1"))
    np.testing.assert_allclose(steady, ramp, atol=1)


@pytest.mark.parametrize("text", ["steady", "ramp:start=0.25", "spike:base=0.2,at=0.5,width=0.1", "steps:count=7"])
def test_a_shape_is_its_text(text: str) -> None:
    assert shape_from(text).text == text


@pytest.mark.parametrize(
    "text", ["wave", "ramp:start=2", "steps:count=1.5", "spike:at=x", "ramp:width=1", "steps:count=0"]
)
def test_a_wrong_shape_is_refused(text: str) -> None:
    with pytest.raises(InvalidScheduleError, match=r"shape|give|known"):
        shape_from(text)


def test_a_trace_reads_alike_as_csv_and_as_json_lines(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("time_s,image,weight\n0.5,x.png,2\n1.25,,\n")
    (tmp_path / "a.jsonl").write_text('{"time_s": 0.5, "image": "x.png", "weight": 2}\n\n{"time_s": 1.25}\n')
    traces = [read_trace(tmp_path / name) for name in ("a.csv", "a.jsonl")]
    assert [trace.due_ns.tolist() for trace in traces] == [[500_000_000, 500_000_000, 1_250_000_000]] * 2
    assert [trace.images for trace in traces] == [("x.png", "x.png", "")] * 2


def test_a_trace_may_begin_with_a_spreadsheets_byte_order_mark(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("time_s\n2\n", encoding="utf-8-sig")
    assert read_trace(tmp_path / "a.csv").due_ns.tolist() == [2 * NS_PER_S]


@pytest.mark.parametrize(
    ("name", "text", "sentence"),
    [
        ("a.csv", "time_s\n2\n1\n", "line 3: time_s falls"),
        ("a.csv", "when\n2\n", "columns are"),
        ("a.csv", "time_s,weight\n2,0\n", "whole number from 1"),
        ("a.jsonl", '{"time_s": "soon"}', "number of seconds"),
        ("a.jsonl", '{"time_s": NaN}', "number of seconds"),
        ("a.jsonl", '{"time_s": 1, "weight": 0}', "whole number from 1"),
        ("a.jsonl", '{"time_s": 1, "weight": 1e9}', "one run may send"),
        ("a.jsonl", '{"time_s": 1e300}', "number of seconds"),
        ("a.jsonl", '{"time_s": 1e12}', "number of seconds"),
        ("a.jsonl", '{"time_s": 1, "weight": Infinity}', "whole number from 1"),
        ("a.jsonl", '{"time_s": 1, "weight": 2.7}', "whole number from 1"),
        ("a.jsonl", "[1]", "columns are"),
        ("a.jsonl", "{", "cannot be read"),
        ("a.csv", "time_s\n", "no arrival"),
        ("none.csv", None, "cannot be read"),
    ],
)
def test_a_wrong_trace_is_refused_by_file_and_line(tmp_path: Path, name: str, text: str | None, sentence: str) -> None:
    if text is not None:
        (tmp_path / name).write_text(text)
    with pytest.raises(InvalidScheduleError, match=sentence) as caught:
        read_trace(tmp_path / name)
    assert name in str(caught.value)


def test_a_million_arrivals_are_made_in_a_second() -> None:
    began_s = time.process_time()
    assert len(arrival_times_ns(rate_rps=2000, span_s=1000, arrivals="poisson", seed=0)) > 1_900_000
    assert time.process_time() - began_s < 1
