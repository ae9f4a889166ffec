"""The pages of the other commands, from documents as those commands write them."""

from typing import Any

import pytest

from loadtests.outcome import Outcome
from loadtests.page import page_html
from loadtests.pages.capacity import capacity_page
from loadtests.pages.compare import compare_page
from loadtests.pages.soak import soak_page

CONDITIONS = {
    "created_at": "2026-01-02T03:04:05+00:00",
    "task": "vessels",
    "load": {"rate_rps": 5.0, "duration_s": 600.0, "arrivals": "poisson"},
    "machine": {"label": "", "generator": {"cpu": "2 × Some CPU", "cores": 2}, "server_here": True},
}
TREND = {"slope_per_s": 0.01, "rise": 6.0, "late_rise": 5.0, "p_value": 0.001, "level": 100.0}


def _trial(rate_rps: float, outcome: str, p99_ms: float) -> dict[str, Any]:
    return {
        "rate_rps": rate_rps,
        "outcome": outcome,
        "achieved_rps": rate_rps,
        "error_ratio": 0.0,
        "latency_ms": {"p50": p99_ms / 2, "p99": p99_ms} if p99_ms else {},
        "reasons": ["p99_ms 900, limit 800"] if outcome == "missed" else [],
    }


@pytest.fixture
def capacity() -> dict[str, Any]:
    trials = [_trial(10, "passed", 300), _trial(20, "missed", 900), _trial(15, "invalid", 0)]
    target = {"rate_rps": 9.8, "latency_ms": {"p99": 280.0}, "met": True, "queue_ms": {"net": 3.5}, "pending": 0.1}
    served = {"profile": "default", "release": "abc", "url": "127.0.0.1:1"}
    found = {"limit": "server", "capacity_rps": 15.0, "interval_rps": [14.0, 16.0], "highest_met_rps": 14.0}
    none = {"limit": "floor", "capacity_rps": None, "interval_rps": None, "highest_met_rps": 0.0}
    return {
        **CONDITIONS,
        "confidence": 0.95,
        "objectives": {"latency_ms": {"p99": 800}, "error_ratio": 0.0},
        "capacities": [
            {**served, "instances": 2, **found, "target": target, "trials": trials},
            {**served, "instances": None, **none, "target": None, "trials": []},
        ],
    }


@pytest.fixture
def compare() -> dict[str, Any]:
    def half(latency_ms: float, reason: str = "") -> dict[str, Any]:
        figures = {} if reason else {"p50": latency_ms, "p99": 2 * latency_ms}
        return {"latency_ms": figures, "requests": 50, "errors": 0, "invalid_reason": reason}

    pairs = [{"a": half(10 + n % 3), "b": half(11.5 + n % 3), "first": "ab"[n % 2]} for n in range(12)]
    pairs.append({"a": half(10), "b": half(0, "the generator was late"), "first": "a"})
    return {
        **CONDITIONS,
        "answer": "slower",
        "verdict": "missed",
        "reason": "p50 of B is +15.0% (+12.0% to +18.0%): B is slower than A.",
        "ratios": {
            "p50": {"estimate": 1.15, "interval": [1.12, 1.18]},
            "p99": {"estimate": 1.1, "interval": [0.9, 1.3]},
        },
        "gate": {"quantile": "p50", "least_effect": 0.03, "confidence": 0.95},
        "a": {"url": "127.0.0.1:1", "profile": "default", "release": ""},
        "b": {"url": "127.0.0.1:2", "profile": "cpu", "release": "<b>"},
        "pairs": pairs,
    }


@pytest.fixture
def soak() -> dict[str, Any]:
    def trend(name: str, unit: str, rising: bool, found: Any = TREND) -> dict[str, Any]:
        values = [100.0 + n / 10 for n in range(60)] if found else []
        times_s = [10.0 * n for n in range(len(values))]
        return {
            "name": name, "unit": unit, "rising": rising, "allowed_rise": 5.0, "trend": found,
            "times_s": times_s, "values": values,
        }  # fmt: skip

    return {
        **CONDITIONS,
        "verdict": "missed",
        "reasons": ["memory rises: +6 MiB over the soak, +36 MiB an hour, allowed 5 MiB."],
        "server": {"url": "127.0.0.1:1"},
        "not_watched": ["The queue was not watched: give --metrics-url."],
        "objectives": [
            {"name": "p99_ms", "bound": "max", "limit": 800.0, "measured": 120.0, "met": True},
            {"name": "correct_ratio", "bound": "min", "limit": 1.0, "measured": None, "met": False},
        ],
        "trends": [
            trend("memory", "MiB", True),
            trend("file descriptors", "", False),
            trend("queue time", "ms", False, None),
        ],
    }


def test_a_capacity_page_has_every_search_and_trial(capacity) -> None:
    html = page_html(capacity_page(capacity, Outcome.PASSED, ("One was not found.",)))
    assert "A capacity was found" in html
    assert html.count("<svg") == 1, "a search without a trial has no picture"
    for text in ("default, 2 instances", "15/s", "14 and 16", "not found", "ended by: floor", "p99_ms 900, limit 800"):
        assert text in html
    assert "One was not found." in html


def test_an_interrupted_search_has_a_page(capacity) -> None:
    for entry in capacity["capacities"]:
        entry |= {"limit": None, "capacity_rps": None, "interval_rps": None, "highest_met_rps": None, "target": None}
    html = page_html(capacity_page(capacity, Outcome.INVALID, ()))
    assert "No capacity was found" in html
    assert "ended by: interruption" in html


def test_a_comparison_page_has_its_answer_and_every_pair(compare) -> None:
    html = page_html(compare_page(compare))
    assert html.count("<svg") == 2
    for text in ("B is slower than A", "+15.0%", "1.120 and 1.180", "the generator was late", "p50 (the gate)"):
        assert text in html
    assert "&lt;b&gt;" in html


def test_an_undecided_comparison_has_a_page(compare) -> None:
    nothing = {"answer": "undecided", "verdict": "invalid", "ratios": {}, "pairs": [], "reason": "Only 0 of 0 pairs."}
    html = page_html(compare_page({**compare, **nothing}))
    assert "The pairs do not tell" in html
    assert "<svg" not in html


def test_a_soak_page_has_every_trend(soak) -> None:
    html = page_html(soak_page(soak))
    assert html.count("<svg") == 2, "a series that is empty has no picture"
    for text in ("The soak failed", "memory rises: +6 MiB", "+36 MiB", "too short", "was not watched", "not measured"):
        assert text in html


def test_a_page_needs_nothing_from_elsewhere(capacity, compare, soak) -> None:
    pages = (capacity_page(capacity, Outcome.PASSED, ()), compare_page(compare), soak_page(soak))
    for html in map(page_html, pages):
        assert not any(loader in html for loader in ("src=", "<link", "@import", "url(http", 'href="http', "<script"))
