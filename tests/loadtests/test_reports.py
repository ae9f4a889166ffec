import json
from dataclasses import replace
from xml.etree import ElementTree

import pytest

from loadtests.histogram import Histogram
from loadtests.junit import junit_text
from loadtests.report import PICTURES, report_html, report_page
from loadtests.summary import histograms_text, summary_text
from loadtests.where_time_went import phases_sentence

OBJECTIVE_COUNT = 8


def _tree(text: str) -> ElementTree.Element:
    return ElementTree.fromstring(text)  # noqa: S314


def _cases(text: str) -> dict[str, ElementTree.Element]:
    return {case.attrib["name"]: case for case in _tree(text).iter("testcase")}


def _suite(text: str) -> ElementTree.Element:
    return next(_tree(text).iter("testsuite"))


def test_junit_of_a_passed_run_has_a_case_an_objective_and_no_failure(make_rows, make_result) -> None:
    text = junit_text(make_result(make_rows()))
    assert len(_cases(text)) == OBJECTIVE_COUNT + 1
    assert [_suite(text).attrib[name] for name in ("tests", "failures", "errors", "skipped")] == ["9", "0", "0", "0"]


def test_junit_names_the_missed_objective(make_rows, make_result) -> None:
    text = junit_text(make_result(make_rows(latencies_ms=(600,))))
    failed = {name for name, case in _cases(text).items() if case.find("failure") is not None}
    assert failed == {"p50_ms"}
    failure = _cases(text)["p50_ms"].find("failure")
    assert failure is not None
    assert failure.attrib["message"] == "p50_ms: 600, must be <= 500"
    assert _suite(text).attrib["failures"] == "1"


def test_junit_of_an_invalid_run_shows_no_objective_as_passed(make_rows, make_result) -> None:
    cases = _cases(junit_text(make_result(make_rows(lag_ms=80))))
    error = cases.pop("valid_run").find("error")
    assert error is not None
    assert "generator was late" in error.attrib["message"]
    assert all(case.find("skipped") is not None for case in cases.values())


def test_summary_has_the_figures(make_rows, make_result) -> None:
    summary = json.loads(summary_text(make_result(make_rows(errors=(None,) * 19 + ("unavailable",)))))
    assert summary["verdict"] == "missed"
    assert summary["exit_code"] == 1
    assert set(summary["latency_ms"]) == {"p50", "p90", "p95", "p99", "p99.9", "max"}
    assert summary["counts"] == {"planned": 200, "measured": 200, "errors": 10, "warm_up": 20}
    assert summary["errors_by_message"] == {"unavailable": 10}
    assert [objective["name"] for objective in summary["objectives"] if not objective["met"]] == ["error_ratio"]


def test_histograms_are_kept_by_phase_and_merge(make_rows, make_result) -> None:
    document = json.loads(histograms_text(make_result(make_rows(latencies_ms=(100, 300)))))
    warm_up, measured = (Histogram.from_json(document["phases"][name]) for name in ("warm_up", "measured"))
    assert (document["task"], document["profile"]) == ("vessels", "cpu")
    assert (warm_up.count, measured.count) == (20, 200)
    assert measured.quantile(0.5) == pytest.approx(100e6, rel=1e-3)
    measured.merge(warm_up)
    assert measured.count == 220


def test_the_distribution_is_every_percent(make_rows, make_result) -> None:
    distribution_ms = json.loads(summary_text(make_result(make_rows(latencies_ms=(100, 300)))))["distribution_ms"]
    assert (distribution_ms[0], distribution_ms[50], distribution_ms[51], distribution_ms[100]) == (100, 100, 300, 300)
    assert len(distribution_ms) == 101


def test_the_html_report_holds_its_pictures_and_nothing_from_elsewhere(make_rows, make_result) -> None:
    html = report_html(make_result(make_rows(latencies_ms=(90, 110, 130))))
    assert html.count("<svg") == len(PICTURES)
    assert "Every objective was met" in html
    assert not any(loader in html for loader in ("src=", "<link", "@import", "url(http", 'href="http'))


def test_what_a_server_says_is_escaped(make_rows, make_result) -> None:
    html = report_html(make_result(make_rows(errors=("<script>alert(1)</script>",))))
    assert "&lt;script&gt;" in html
    assert "<script" not in html


@pytest.mark.parametrize("kept", [0, 5, 20])
def test_every_report_can_be_written_when_nothing_was_measured(make_rows, make_result, kept: int) -> None:
    result = make_result(make_rows()[:kept])
    assert "The run is invalid" in report_html(result)
    assert json.loads(summary_text(result))["latency_ms"] == {}
    assert _cases(junit_text(result))["p50_ms"].find("skipped") is not None


def test_few_requests_come_with_a_remark_on_p99(make_rows, make_result) -> None:
    assert "p99 is the slowest of them; 1000 or more tell" in make_result(make_rows()[:60]).remarks()[0]
    assert "only 2 are slower than p99" in make_result(make_rows()).remarks()[0]


def test_a_report_says_what_answers_were_compared_with(make_rows, make_result) -> None:
    result = make_result(make_rows(), agreements=(1.0, 0.991))
    sentence = "2 answers were compared with what the server answered before the load; the least agreement was 0.991"
    assert sentence in report_html(result)
    assert json.loads(summary_text(result))["correctness"] == {
        "compared": 2,
        "compared_with": "what the server answered before the load",
        "agreement_limit": 0.98,
        "correct_ratio": 1.0,
        "least_agreement": 0.991,
    }


def test_the_servers_own_phases_stand_beside_what_the_client_saw(make_rows, make_result, server_phases) -> None:
    result = make_result(make_rows(), server=server_phases)
    html = report_html(result)
    assert html.count("<svg") == len(PICTURES) + 1
    assert "vessels_network" in html
    server = json.loads(summary_text(result))["server"]
    assert server["models"]["vessels_network"]["infer_us"] == 60_000
    assert server["network_and_client_ms"] == pytest.approx(100 - 72)


def test_a_server_that_counts_requests_given_up_leaves_no_rest(make_rows, make_result, server_phases) -> None:
    """Right answers took 50 ms, and the server says 72: nothing of that is the network's."""
    result = make_result(make_rows(latencies_ms=(50,)), server=server_phases)
    assert json.loads(summary_text(result))["server"]["network_and_client_ms"] is None
    assert phases_sentence(result) == ""
    assert "72.00" in report_html(result)


def test_a_missed_objective_stands_at_the_top_of_the_report(make_rows, make_result) -> None:
    page = report_page(make_result(make_rows(latencies_ms=(600,))))
    assert page.mark == "missed"
    assert page.reasons == ("p50_ms: 600, must be ≤ 500.",)


def test_a_closed_loop_says_that_it_hides_stalls(make_rows, make_result) -> None:
    result = make_result(make_rows())
    load = replace(result.settings.load, users=8)
    closed = replace(result, settings=replace(result.settings, load=load))
    assert "a stall of the server hardly shows" in report_html(closed)
    assert "a closed loop of 8 users" in report_html(closed)
