"""Decision records: why a retraining ran, or did not, and what came of it. One JSON file each."""

from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from pipelines.output import write_json

FOLDER = "decisions"
Outcome = Literal["running", "not needed", "promoted", "unchanged", "refused", "failed", "stopped"]


@dataclass(frozen=True)
class Decision:
    """A retraining that was considered.

    Attributes:
        at: when, ISO 8601, UTC.
        task: of the model.
        trigger: one of `triggers.TRIGGERS`.
        reason: what the trigger said.
        outcome: what came of it.
        why: of the outcome.
        run: folder of the retraining.
        champion: name of the release that serves since, or still.
    """

    at: str
    task: str
    trigger: str
    reason: str
    outcome: Outcome
    why: str = ""
    run: str = ""
    champion: str | None = None


class DecisionFile:
    """One decision on disk, from the moment it is considered: a kill leaves it `running`, which says so too."""

    def __init__(self, folder: Path, decision: Decision) -> None:
        folder = folder / FOLDER
        folder.mkdir(parents=True, exist_ok=True)
        moment = datetime.now(UTC).strftime("%Y%m%dT%H%M%S%f")
        self.path = folder / f"{moment}-{decision.task}.json"
        self._decision = decision
        write_json(self.path, asdict(self._decision))

    def close(self, outcome: Outcome, why: str, champion: str | None) -> Decision:
        """Say what came of it."""
        self._decision = replace(self._decision, outcome=outcome, why=why, champion=champion)
        write_json(self.path, asdict(self._decision))
        return self._decision


def now() -> str:
    """Return the time as decisions have it."""
    return datetime.now(UTC).isoformat(timespec="seconds")
