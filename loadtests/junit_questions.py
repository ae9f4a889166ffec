"""The answer to a question as JUnit XML, as `junit` writes a run: `failure` blames the endpoint, `error` nobody."""

from collections.abc import Sequence
from dataclasses import dataclass
from xml.etree import ElementTree

from loadtests.outcome import Outcome

JUNIT_FILE = "junit.xml"
_KINDS = {Outcome.MISSED: "failure", Outcome.INVALID: "error"}


@dataclass(frozen=True)
class Case:
    """A test case: what was asked, how it ended, and a sentence about it."""

    name: str
    outcome: Outcome
    sentence: str


def cases_text(suite: str, cases: Sequence[Case]) -> str:
    """The XML document of one suite."""
    totals = {f"{kind}s": str(sum(case.outcome is outcome for case in cases)) for outcome, kind in _KINDS.items()}
    root = ElementTree.Element("testsuites")
    attributes = {"name": f"loadtests.{suite}", "tests": str(len(cases)), **totals}
    element = ElementTree.SubElement(root, "testsuite", attributes)
    for case in cases:
        tested = ElementTree.SubElement(element, "testcase", classname=f"loadtests.{suite}", name=case.name)
        if case.outcome in _KINDS:
            ElementTree.SubElement(tested, _KINDS[case.outcome], message=case.sentence, type=case.outcome.value)
        ElementTree.SubElement(tested, "system-out").text = case.sentence
    ElementTree.indent(root)
    return ElementTree.tostring(root, encoding="unicode", xml_declaration=True) + "\n"
