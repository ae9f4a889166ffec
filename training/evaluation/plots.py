"""Curves and matrices as PNG files; drawn without a display."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
from matplotlib.figure import Figure

from tasks import Kind, TaskSpec
from tasks.metrics import LEVELS, ReliabilityBin, histogram_curves, level_bins, reliability
from tasks.metrics.ranking import Histogram
from training.evaluation.figures import matrix_of, rows, summed
from training.evaluation.tally import FIELD_OF_VIEW, Judgement


def draw_plots(judged: Sequence[Judgement], task: TaskSpec, folder: Path) -> list[Path]:
    """Write reliability.png, confusion_matrix.png, roc_curve.png and precision_recall_curve.png; return their paths."""
    histograms = score_histograms(judged, task)
    names = [info.name for info in task.classes] if task.kind is Kind.BINARY_SEGMENTATION else _names(task)
    figures = {
        "reliability": _draw_reliability(reliability_bins(judged, task)),
        "confusion_matrix": _draw_matrix(matrix_of([item.tally for item in judged], task), names),
        "roc_curve": _draw_curves(histograms, "false positive rate", "sensitivity", roc=True),
        "precision_recall_curve": _draw_curves(histograms, "recall", "precision", roc=False),
    }
    return [_save(figure, folder / f"{name}.png") for name, figure in figures.items()]


def reliability_bins(judged: Sequence[Judgement], task: TaskSpec) -> list[ReliabilityBin]:
    """Return the bars of the reliability diagram: of the predicted class, or of the foreground (binary)."""
    if task.kind is Kind.CLASSIFICATION:
        truth, label, probability = rows([item.tally for item in judged])
        return reliability(probability.max(axis=1), label == truth)
    total = summed([item.tally.counts for item in judged])
    binary = task.kind is Kind.BINARY_SEGMENTATION
    return level_bins(total[FIELD_OF_VIEW].sum(axis=0) if binary else total["confidence"])


def score_histograms(judged: Sequence[Judgement], task: TaskSpec) -> dict[str, Histogram]:
    """Return counts (2, 256) of negatives and positives by score for each class that has a curve."""
    if task.kind is Kind.CLASSIFICATION:
        truth, _, probability = rows([item.tally for item in judged])
        level = np.rint(probability * (LEVELS - 1)).astype(np.intp)
        return {name: _counted(level[:, index], truth == index) for index, name in enumerate(_names(task))}
    total = summed([item.tally.counts for item in judged])
    if task.kind is Kind.BINARY_SEGMENTATION:
        return {task.classes[1].name: total[FIELD_OF_VIEW].sum(axis=0)}
    return dict(zip(_names(task), total.get("scores", ()), strict=False))


def _counted(level: npt.NDArray[np.intp], truth: npt.NDArray[np.bool_]) -> Histogram:
    return np.stack([np.bincount(level[truth == side], minlength=LEVELS) for side in (False, True)])


def _names(task: TaskSpec) -> list[str]:
    return [info.name for info in task.predicted]


def _draw_reliability(bars: Sequence[ReliabilityBin]) -> Figure:
    figure = Figure(figsize=(4.5, 4.5), layout="constrained")
    axes = figure.add_subplot(xlabel="mean confidence", ylabel="share that is right", xlim=(0, 1), ylim=(0, 1))
    axes.plot([0, 1], [0, 1], color="grey", linestyle=":")
    total = max(sum(bar.count for bar in bars), 1)
    sizes = [20 + 400 * bar.count / total for bar in bars]
    axes.plot([bar.confidence for bar in bars], [bar.accuracy for bar in bars], color="tab:blue")
    axes.scatter([bar.confidence for bar in bars], [bar.accuracy for bar in bars], sizes, color="tab:blue", alpha=0.6)
    return figure


def _draw_matrix(matrix: npt.NDArray[np.int64], names: Sequence[str]) -> Figure:
    share = matrix / np.maximum(matrix.sum(axis=1, keepdims=True), 1)
    figure = Figure(figsize=(1.6 + len(names), 1.4 + len(names)), layout="constrained")
    places = range(len(names))
    axes = figure.add_subplot(xlabel="network", ylabel="expert")
    axes.set_xticks(places, names, rotation=45, ha="right")
    axes.set_yticks(places, names)
    axes.imshow(share, cmap="Blues", vmin=0, vmax=1)
    for row in places:
        for column in places:
            colour = "white" if share[row, column] > 0.5 else "black"
            axes.text(column, row, f"{share[row, column]:.2f}", ha="center", va="center", color=colour)
    return figure


def _draw_curves(histograms: dict[str, Histogram], across: str, up: str, *, roc: bool) -> Figure:
    figure = Figure(figsize=(5, 4.5), layout="constrained")
    axes = figure.add_subplot(xlabel=across, ylabel=up, xlim=(0, 1), ylim=(0, 1.01))
    for name, histogram in histograms.items():
        curves = histogram_curves(histogram)
        points = (curves.false_positive_rate, curves.recall) if roc else (curves.recall, curves.precision)
        axes.plot(*points, label=name)
    if histograms:
        axes.legend(loc="lower right" if roc else "lower left")
    return figure


def _save(figure: Figure, path: Path) -> Path:
    figure.savefig(path)  # without pyplot this needs no display
    return path
