"""compare.json: the answer, the ratios behind it and every pair."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from loadtests.compare.judgement import Comparison, Gate, Pair

SCHEMA = "fovea.compare/1"


def comparison_text(comparison: Comparison, pairs: Sequence[Pair], gate: Gate, conditions: Mapping[str, Any]) -> str:
    """The JSON document. `ratios` are B over A by quantile, [low, high] with the gate's confidence."""
    outcome = comparison.answer.outcome
    document = {
        "schema": SCHEMA,
        "answer": comparison.answer,
        "verdict": outcome,
        "exit_code": outcome.exit_code,
        "reason": comparison.reason,
        "ratios": {
            name: {"estimate": ratio.estimate, "interval": [ratio.low, ratio.high]}
            for name, ratio in comparison.ratios.items()
        },
        "gate": asdict(gate),
        **conditions,
        "pairs": [asdict(pair) for pair in pairs],
    }
    return json.dumps(document, indent=2, allow_nan=False) + "\n"
