"""What an evaluation leaves behind: one JSON document, and pictures for people."""

import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from PIL import Image

from tasks import Kind, TaskSpec
from training.evaluation.figures import matrix_of, pooled_metrics
from training.evaluation.intervals import intervals
from training.evaluation.judging import evaluate
from training.evaluation.options import EvaluationOptions
from training.evaluation.pictures import mistakes_sheet, panel, worst_median_best, worst_mistakes
from training.evaluation.plots import draw_plots, reliability_bins
from training.evaluation.tally import Judgement
from training.serving_module import ServingModule

METRICS_FILE = "metrics.json"
_PICTURES = ("worst.jpg", "median.jpg", "best.jpg")


def report_of(judged: Sequence[Judgement], task: TaskSpec, options: EvaluationOptions) -> dict[str, Any]:
    """Return figures, intervals, confusion matrix and reliability; NaN becomes null, as JSON has none."""
    classes = task.classes if task.kind is Kind.BINARY_SEGMENTATION else task.predicted
    report = {
        "metrics": pooled_metrics(judged, task),
        "intervals_95": intervals(judged, task, options.resamples, options.seed),
        "classes": [info.name for info in classes],
        "confusion_matrix": matrix_of([item.tally for item in judged], task).tolist(),
        "reliability": [vars(bar) for bar in reliability_bins(judged, task)],
    }
    finite = without_nan(report)
    assert isinstance(finite, dict)  # noqa: S101 - a mapping stays one
    return finite


def per_image(judged: Sequence[Judgement]) -> list[dict[str, Any]]:
    """Return one row a picture: its name, subject and own figures; NaN becomes null."""
    rows = [{"name": item.sample.name, "subject": item.sample.subject, **item.metrics} for item in judged]
    return [dict(without_nan(row)) for row in rows]


def write_files(
    judged: Sequence[Judgement],
    report: dict[str, Any],
    module: ServingModule,
    task: TaskSpec,
    options: EvaluationOptions,
    folder: Path,
) -> None:
    """Write metrics.json with a row a picture, the plots, and the pictures that show what the figures mean."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in _PICTURES:
        (folder / name).unlink(missing_ok=True)  # pictures of an earlier call would pass for this one's
    draw_plots(judged, task, folder)
    if task.kind is Kind.CLASSIFICATION:
        _save_mistakes(judged, module, task, options, folder)
    else:
        _save_panels(judged, module, task, options, folder)
    document = report | {"per_image": per_image(judged)}
    (folder / METRICS_FILE).write_text(json.dumps(document, indent=1, ensure_ascii=False) + "\n")


def without_nan(value: Any) -> Any:
    """Return the value with None for every float that is not a number, through mappings and sequences."""
    if isinstance(value, dict):
        return {name: without_nan(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [without_nan(each) for each in value]
    return None if isinstance(value, float) and math.isnan(value) else value


def _save_panels(
    judged: Sequence[Judgement], module: ServingModule, task: TaskSpec, options: EvaluationOptions, folder: Path
) -> None:
    # Predicted a second time: keeping the pixels of all pictures until the ranks are known would fill the memory.
    for rank, item in worst_median_best(judged, task).items():
        for drawn in evaluate(module, [item.sample], task, tta=options.tta):
            Image.fromarray(panel(drawn, task)).save(folder / f"{rank}.jpg", quality=85)


def _save_mistakes(
    judged: Sequence[Judgement], module: ServingModule, task: TaskSpec, options: EvaluationOptions, folder: Path
) -> None:
    wrong = [item.sample for item in worst_mistakes(judged)]
    if wrong:
        items = list(evaluate(module, wrong, task, tta=options.tta))
        Image.fromarray(mistakes_sheet(items, task)).save(folder / "worst.jpg", quality=85)
