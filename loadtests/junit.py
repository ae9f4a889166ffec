"""The run as JUnit XML, the one format every CI server shows: a test case an objective.

`failure` is an objective the endpoint missed; `error` is a run that says nothing about the endpoint.
"""

from xml.etree import ElementTree

from loadtests.outcome import Outcome
from loadtests.result import RunResult
from loadtests.verdict import ObjectiveResult

SIGNS = {"max": "<=", "min": ">="}


def junit_text(result: RunResult) -> str:
    """The XML document: the objectives, then `valid_run`. In an invalid run no objective shows as passed."""
    cases = [_objective_case(result, objective) for objective in result.verdict.results]
    cases.append(_validity_case(result))
    suite = ElementTree.Element("testsuite", _suite_attributes(result, cases))
    suite.extend(cases)
    root = ElementTree.Element("testsuites")
    root.append(suite)
    ElementTree.indent(root)
    return ElementTree.tostring(root, encoding="unicode", xml_declaration=True) + "\n"


def _suite_attributes(result: RunResult, cases: list[ElementTree.Element]) -> dict[str, str]:
    totals = {
        plural: str(sum(case.find(kind) is not None for case in cases))
        for plural, kind in (("failures", "failure"), ("errors", "error"), ("skipped", "skipped"))
    }
    return {
        "name": f"loadtests.{result.settings.endpoint.task}",
        "tests": str(len(cases)),
        **totals,
        "time": f"{result.settings.load.duration_s:g}",
        "timestamp": result.started_at,
    }


def _objective_case(result: RunResult, objective: ObjectiveResult) -> ElementTree.Element:
    case = _case(result, objective.name)
    figure = "not measured" if objective.measured is None else f"{objective.measured:.4g}"
    sentence = f"{objective.name}: {figure}, must be {SIGNS[objective.bound]} {objective.limit:g}"
    if result.verdict.outcome is Outcome.INVALID:
        ElementTree.SubElement(case, "skipped", message=f"the run is invalid; {sentence}")
    elif not objective.met:
        ElementTree.SubElement(case, "failure", message=sentence, type="ObjectiveMissed")
    ElementTree.SubElement(case, "system-out").text = sentence
    return case


def _validity_case(result: RunResult) -> ElementTree.Element:
    case = _case(result, "valid_run")
    if result.verdict.invalid_reasons:
        message = " ".join(result.verdict.invalid_reasons)
        ElementTree.SubElement(case, "error", message=message, type="InvalidRun")
    return case


def _case(result: RunResult, name: str) -> ElementTree.Element:
    return ElementTree.Element("testcase", classname=f"loadtests.{result.settings.endpoint.task}", name=name)
