"""soak.json: what rose, what did not, and the series behind it, thinned to what a picture needs."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from loadtests.estimates.trend import piecewise_medians
from loadtests.soak.judgement import Finding, Series, SoakVerdict
from loadtests.verdict import Verdict

SCHEMA = "fovea.soak/1"


def soak_text(
    verdict: SoakVerdict,
    load: Verdict,
    findings: Sequence[Finding],
    series: Sequence[Series],
    conditions: Mapping[str, Any],
) -> str:
    """The JSON document; findings and series go together in order. Times in seconds, values in the unit beside them."""
    document = {
        "schema": SCHEMA,
        "verdict": verdict.outcome,
        "exit_code": verdict.outcome.exit_code,
        "reasons": list(verdict.reasons),
        **conditions,
        "objectives": [{**vars(result), "met": result.met} for result in load.results],
        "trends": [_trend(finding, each) for finding, each in zip(findings, series, strict=True)],
    }
    return json.dumps(document, indent=2, allow_nan=False) + "\n"


def _trend(finding: Finding, series: Series) -> dict[str, Any]:
    times_s, values = piecewise_medians(series.times_s, series.values)
    return {
        "name": finding.watched.name,
        "unit": finding.watched.unit,
        "rising": finding.rising,
        "allowed_rise": finding.allowed_rise,
        "trend": asdict(finding.trend) if finding.trend else None,
        "times_s": [round(time_s, 2) for time_s in times_s.tolist()],
        "values": [float(f"{value:.5g}") for value in values.tolist()],
    }
