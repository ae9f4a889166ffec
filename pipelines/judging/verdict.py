"""A judgement as a file: it is what `promote` acts on, and it is of exactly two releases and one test set."""

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pipelines.errors import PipelineError
from pipelines.judging.gates import Gate
from pipelines.output import write_json

FILE = "verdict.json"


@dataclass(frozen=True)
class Verdict:
    """Whether the challenger may replace the champion.

    Attributes:
        task: that was judged.
        challenger, champion: names of the releases; the champion is None where there is none yet.
        test_set: its digest.
        gates: every condition, shut ones included.
        profile: serving profile that was asked.
    """

    task: str
    challenger: str
    champion: str | None
    test_set: str
    gates: tuple[Gate, ...]
    profile: str = "default"

    @property
    def passed(self) -> bool:
        """Return whether every gate is open; nothing judged is no pass."""
        return bool(self.gates) and all(gate.passed for gate in self.gates)

    @property
    def why(self) -> str:
        """Return one sentence: the shut gates, or that all are open."""
        if not self.gates:
            return "nothing was judged"
        shut = [f"{gate.name}: {gate.said}" for gate in self.gates if not gate.passed]
        return "; ".join(shut) if shut else f"all {len(self.gates)} gates are open, as {self.profile}"


def write_verdict(verdict: Verdict, folder: Path) -> Path:
    """Write the verdict below `folder`, whole or not at all, and return the file."""
    path = folder / FILE
    content = {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "task": verdict.task,
        "challenger": verdict.challenger,
        "champion": verdict.champion,
        "test_set": verdict.test_set,
        "profile": verdict.profile,
        "passed": verdict.passed,
        "why": verdict.why,
        "gates": [gate.to_dict() for gate in verdict.gates],
    }
    write_json(path, content)
    return path


def read_verdict(path: Path) -> Verdict:
    """Return the verdict in a file.

    Raises:
        PipelineError: it is none.
    """
    try:
        found: dict[str, Any] = json.loads(path.read_text())
        gates = tuple(Gate(**gate) for gate in found["gates"])
        if not all(isinstance(gate.passed, bool) for gate in gates):
            raise TypeError("a gate is neither open nor shut")
        return Verdict(
            found["task"], found["challenger"], found["champion"], found["test_set"], gates, found["profile"]
        )
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise PipelineError(f"{path} is no verdict ({error}); make one with `python -m pipelines judge`") from error
