"""A soak as test cases: each objective, each trend, and whether the load can be trusted."""

from collections.abc import Sequence

from loadtests.junit_questions import Case
from loadtests.outcome import Outcome
from loadtests.soak.judgement import Finding
from loadtests.verdict import Verdict


def cases_of(load: Verdict, findings: Sequence[Finding]) -> list[Case]:
    """The cases, in that order. Objectives of an invalid load are judged by nobody."""
    objectives = [
        Case(each.name, Outcome.PASSED if each.met else Outcome.MISSED, f"{each.measured} against {each.limit:g}")
        for each in (() if load.invalid_reasons else load.results)
    ]
    valid = Outcome.INVALID if load.invalid_reasons else Outcome.PASSED
    return [
        *objectives,
        *(_trend_case(finding) for finding in findings),
        Case("valid_run", valid, " ".join(load.invalid_reasons)),
    ]


def _trend_case(finding: Finding) -> Case:
    name = f"steady_{finding.watched.name.replace(' ', '_')}"
    if finding.trend is None:
        return Case(name, Outcome.INVALID, "too few samples to tell a trend; soak longer.")
    sentence = f"{finding.trend.rise:+.3g} {finding.watched.unit} over the soak, allowed {finding.allowed_rise:.3g}"
    return Case(name, Outcome.MISSED if finding.rising else Outcome.PASSED, sentence)
