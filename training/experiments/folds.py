"""The figures of a cross-validation: pooled over all subjects, and how much they differ from fold to fold."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from rich.table import Table

from tasks import TaskSpec
from training.baselines import baseline
from training.evaluation import Judgement, intervals, pooled_metrics
from training.evaluation.report import without_nan
from training.split import Split
from training.train import SHOWN


@dataclass(frozen=True)
class FoldResult:
    """A fold's held-out pictures, judged, and their figures."""

    fold: int
    judged: Sequence[Judgement]
    metrics: dict[str, float]


def summary(results: Sequence[FoldResult], task: TaskSpec, resamples: int, seed: int) -> dict[str, Any]:
    """Return all figures of a cross-validation; None where one is not defined.

    Returns:
        `metrics` and `intervals_95` pooled over every fold's pictures, `mean` and `std` (sample standard deviation)
        over the folds where a figure is defined, and `folds` with each one's figures.
    """
    judged = [item for result in results for item in result.judged]
    names = [name for name in results[0].metrics if all(name in result.metrics for result in results)]
    columns = {name: _defined([result.metrics[name] for result in results]) for name in names}
    document = {
        "metrics": pooled_metrics(judged, task),
        "intervals_95": intervals(judged, task, resamples, seed),
        "mean": {name: float(column.mean()) if len(column) else math.nan for name, column in columns.items()},
        "std": {name: float(column.std(ddof=1)) if len(column) > 1 else 0.0 for name, column in columns.items()},
        "folds": [_described(result) for result in results],
    }
    return dict(without_nan(document))


def judge_baseline(splits: Sequence[Split], task: TaskSpec, resamples: int, seed: int) -> dict[str, Any]:
    """Return `metrics` and `intervals_95` of the colour baseline, learnt and judged on the same folds.

    Raises:
        TrainingError: see `training.baselines.baseline`.
    """
    judged = [item for split in splits for item in baseline([*split.train, *split.validation], split.held_out, task)]
    figures = {"metrics": pooled_metrics(judged, task), "intervals_95": intervals(judged, task, resamples, seed)}
    return dict(without_nan(figures))


def spread_table(document: dict[str, Any], task: TaskSpec) -> Table:
    """Return the figures that are worth a look, for a terminal."""
    has_baseline = "baseline" in document
    table = Table("", "pooled", "95 % interval", "mean ± std of folds", *(["colour baseline"] if has_baseline else []))
    for name in SHOWN[task.kind]:
        if name not in document["metrics"]:
            continue
        row = [
            name,
            _number(document["metrics"][name]),
            " – ".join(map(_number, document["intervals_95"].get(name, ()))),
        ]
        row.append(f"{_number(document['mean'].get(name))} ± {_number(document['std'].get(name))}")
        table.add_row(*row, *([_number(document["baseline"]["metrics"].get(name))] if has_baseline else []))
    return table


def _defined(values: Sequence[float]) -> npt.NDArray[np.float64]:
    column = np.array(values, np.float64)
    return column[~np.isnan(column)]


def _described(result: FoldResult) -> dict[str, Any]:
    subjects = sorted({item.sample.subject for item in result.judged})
    return {"fold": result.fold, "subjects": subjects, "pictures": len(result.judged), "metrics": result.metrics}


def _number(value: float | None) -> str:
    return "not defined" if value is None else f"{value:.4f}"
