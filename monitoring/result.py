"""The result of one look for drift, and `drift.json`, which the dashboard and scripts read."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime

import numpy as np

from monitoring.judgement import KINDS, Finding, Rule
from monitoring.pictures import Figures
from monitoring.profile import Header
from monitoring.ranking import Strange
from tasks import TaskSpec
from tasks.statistics import INPUT_STATISTICS, prediction_names

FILE_NAME = "drift.json"


@dataclass(frozen=True)
class Result:
    """One look for drift.

    Attributes:
        task: of the pictures.
        created: when it was judged.
        reference: what the window was compared with.
        release: SHA-256 of the release whose network looked at the window.
        rule: how it was judged.
        findings: every test.
        means: statistic → mean in the reference and in the window.
        images, labelled: pictures of the window, and those of them with a label.
        unreadable: why pictures were left out.
        strangest: the pictures furthest from the reference.
        names: of the window's pictures, by `Strange.index`.
    """

    task: TaskSpec
    created: datetime
    reference: Header
    release: str
    rule: Rule
    findings: Sequence[Finding]
    means: Mapping[str, tuple[float, float]]
    images: int
    labelled: int
    unreadable: Sequence[str]
    strangest: Sequence[Strange]
    names: Sequence[str]

    @property
    def alarm(self) -> bool:
        """Return whether anything alarms."""
        return any(finding.alarm for finding in self.findings)

    def alarms_of(self, kind: str) -> list[Finding]:
        """Return the findings of a kind that alarm."""
        return [finding for finding in self.findings if finding.kind == kind and finding.alarm]


def means(reference: Figures, window: Figures, task: TaskSpec) -> dict[str, tuple[float, float]]:
    """Return the mean of each statistic in the reference and in the window."""
    names = (*INPUT_STATISTICS, *prediction_names(task))
    both = [np.concatenate([each.input, each.prediction], axis=1).mean(axis=0) for each in (reference, window)]
    return {name: (float(first), float(second)) for name, first, second in zip(names, *both, strict=True)}


def document(result: Result) -> str:
    """Return the text of `drift.json`."""
    content = {
        "task": result.task.name,
        "created": result.created.isoformat(timespec="seconds"),
        "window_images": result.images,
        "window_labelled": result.labelled,
        "unreadable_images": len(result.unreadable),
        "alarm": result.alarm,
        "alarms": {kind: bool(result.alarms_of(kind)) for kind in KINDS},
        "alpha": result.rule.alpha,
        "correction": "holm",
        "draws": result.rule.draws,
        "resampling": "bootstrap" if result.rule.replace else "permutation",
        "release": result.release,
        "reference": json.loads(result.reference.model_dump_json(include={"created", "release", "network", "images"})),
        "means": {name: {"reference": first, "window": second} for name, (first, second) in result.means.items()},
        "tests": [asdict(finding) for finding in result.findings],
        "strangest": [
            {
                "picture": result.names[each.index],
                "statistic": each.statistic,
                "deviation": round(each.deviation, 2),
            }
            for each in result.strangest
        ],
    }
    return json.dumps(content, indent=2) + "\n"
