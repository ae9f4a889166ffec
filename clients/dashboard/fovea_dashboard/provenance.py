"""What an answer came from, as the endpoint describes itself."""

from collections.abc import Mapping
from typing import Any

from fovea_dashboard.cards import facts
from fovea_dashboard.endpoint import Answer, ServedTask

_DIGITS = 12
# The figure that a task is known by comes first.
_FIGURES = {
    "dice": "Dice",
    "mean_iou": "Mean IoU",
    "macro_f1": "Macro-F1",
    "roc_auc": "ROC-AUC",
    "roc_auc_ovr": "ROC-AUC",
    "accuracy": "Accuracy",
}
_SHOWN_FIGURES = 2


def provenance(answer: Answer, task: ServedTask) -> str:
    """A table of facts, as HTML."""
    told = task.info.provenance
    by = _mapping(told.get("trained_by"))
    rows = [
        ("Model", f"{task.info.name}, version {answer.model_version}"),
        ("Runs on", task.runs),
        ("Weights", _short(told.get("weights_sha256"))),
        ("Trained on data", _short(told.get("data_digest"))),
        ("Trained by code", _short(by.get("code_revision"))),
        ("Training run", _short(told.get("run_id"))),
        *figures(_mapping(told.get("metrics"))),
    ]
    unknown = "" if told else '<p class="fovea-under">The release does not say what it was made from.</p>'
    return facts(rows) + unknown


def figures(metrics: Mapping[str, Any]) -> list[tuple[str, str]]:
    """The held-out figures that say most, as rows."""
    known = [(name, metrics[key]) for key, name in _FIGURES.items() if isinstance(metrics.get(key), int | float)]
    return [(f"Held-out {name}", f"{value:.3f}") for name, value in known[:_SHOWN_FIGURES]]


def _short(value: object) -> str:
    return str(value)[:_DIGITS] if value else ""


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
