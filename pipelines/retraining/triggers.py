"""Is there a reason to train again? Each trigger looks at its evidence and says yes or no in one sentence."""

import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from pipelines.champion import current, read_journal
from pipelines.errors import PipelineError
from pipelines.retraining.records import digest_of

TRIGGERS = ("drift", "labels", "schedule", "asked")


@dataclass(frozen=True)
class Reason:
    """Whether to train again, and why or why not."""

    wanted: bool
    said: str


def of_drift(report: Path, task: str, champion: str | None) -> Reason:
    """What `python -m monitoring drift` found, drift.json, if it is of this task and of the present champion.

    Raises:
        PipelineError: the file is no such report.
    """
    try:
        found: dict[str, Any] = json.loads(report.read_text())
        alarms = [f"{test['statistic']} ({test['method']})" for test in found["tests"] if test["alarm"]]
        wanted = bool(found["alarm"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise PipelineError(
            f"{report} is no drift report ({error}); make one with `python -m monitoring drift`"
        ) from error
    other = _of_another(found, task, champion)
    if other:
        return Reason(False, other)
    images = found.get("window_images", "?")
    if not wanted:
        return Reason(False, f"no drift in {images} images")
    return Reason(True, f"drift in {images} images: {', '.join(alarms) or 'no test is named'}")


def _of_another(found: dict[str, Any], task: str, champion: str | None) -> str:
    if found.get("task") != task:
        return f"the drift report is of {found.get('task')}"
    release = str(found.get("release", ""))
    # An alarm about the former champion is no reason to replace the present one.
    if release and champion and not release.startswith(champion):
        return f"the drift report is of release {release[:16]}, and the champion is {champion}"
    return ""


def of_labels(data: Path, last: Path) -> Reason:
    """Whether the labelled data is other than at the last retraining, whose digest is in the file `last`."""
    if not data.exists():
        raise PipelineError(f"there is no labelled data at {data}")
    digest = digest_of(data)
    before = last.read_text().strip() if last.exists() else ""
    if digest == before:
        return Reason(False, "the labelled data is that of the last retraining")
    return Reason(True, "the labelled data is new" if not before else "the labelled data has changed")


def of_schedule(champion: Path, every: timedelta, now: datetime | None = None) -> Reason:
    """Whether the champion has been champion for longer than `every`."""
    if current(champion) is None:
        return Reason(True, "there is no champion")
    entries = [entry for entry in read_journal(champion.parent) if entry.to == champion.resolve().name]
    if not entries:
        return Reason(True, "nobody knows how old the champion is")
    age = (now or datetime.now(UTC)) - datetime.fromisoformat(entries[-1].at)
    said = f"the champion is {age.total_seconds() / 86400:.1f} days old, and {every.days} are allowed"
    return Reason(age > every, said)
