"""From counts to named figures: the same names for one picture, for all of them and for every resample."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from tasks import Kind, TaskSpec
from tasks.metrics import (
    Confusion,
    average_precision,
    class_scores,
    confusion_matrix,
    expected_calibration_error,
    histogram_average_precision,
    histogram_roc_auc,
    level_bins,
    one_vs_rest,
    present_mean,
    reliability,
)
from tasks.metrics.multiclass import ClassScores, Matrix
from training.evaluation.tally import FIELD_OF_VIEW, FULL_FRAME, Counts, Judgement, Tally

Metrics = dict[str, float]


def pooled_metrics(evaluated: Sequence[Judgement], task: TaskSpec) -> Metrics:
    """Return the figures over all judged pictures together, most 0–1 (MCC -1–1); NaN where one is not defined.

    Binary segmentation: over all pixels inside the published field of view, again with the prefix `full_frame_`, and
    the mean over pictures of those inside the field of view with the prefix `per_image_`. Semantic: over all labelled
    pixels, and the mean over pictures of mean_iou and accuracy with that prefix. Classification: over all pictures.
    """
    figures = figures_of_all([item.tally for item in evaluated], task)
    names = {
        Kind.BINARY_SEGMENTATION: [name for name in figures if not name.startswith(FULL_FRAME)],
        Kind.SEMANTIC_SEGMENTATION: ["mean_iou", "mean_dice", "accuracy"],
        Kind.CLASSIFICATION: [],
    }[task.kind]
    return figures | {f"per_image_{name}": _mean([item.metrics[name] for item in evaluated]) for name in names}


def figures_of_all(tallies: Sequence[Tally], task: TaskSpec) -> Metrics:
    """Return the figures over several pictures together."""
    if task.kind is Kind.CLASSIFICATION:
        return classification_figures(*rows(tallies), task)
    return segmentation_figures(summed([tally.counts for tally in tallies]), task)


def figures_of_one(tally: Tally, task: TaskSpec) -> Metrics:
    """Return the figures of one picture; of a classification: `right` (0 or 1) and the true class's probability."""
    if tally.probability is not None:
        sure = float(tally.probability[tally.truth])
        return {"right": float(tally.label == tally.truth), "probability_of_truth": sure}
    return segmentation_figures(tally.counts, task)


def summed(counts: Sequence[Counts]) -> Counts:
    """Return the element-wise sum of counts with the same names."""
    return {name: np.sum([each[name] for each in counts], axis=0) for name in counts[0]}


def segmentation_figures(counts: Counts, task: TaskSpec) -> Metrics:
    """Return the figures of a segmentation's counts."""
    if task.kind is Kind.SEMANTIC_SEGMENTATION:
        return _semantic_figures(counts, task)
    whole = {f"{FULL_FRAME}_{name}": value for name, value in _binary_figures(counts[FULL_FRAME]).items()}
    return _binary_figures(counts[FIELD_OF_VIEW]) | whole


def classification_figures(
    truth: npt.NDArray[np.int64], label: npt.NDArray[np.int64], probability: npt.NDArray[np.float32], task: TaskSpec
) -> Metrics:
    """Return the figures of classified pictures.

    Args:
        truth, label: (pictures,), true and predicted class indices.
        probability: (pictures, classes).
        task: whose class names end the names of figures per class.
    """
    scores = class_scores(confusion_matrix(label, truth, len(task.classes)))
    areas = [average_precision(column, truth == index) for index, column in enumerate(probability.T)]
    return {
        "macro_f1": present_mean(scores.f1),
        "accuracy": scores.accuracy,
        "mcc": scores.mcc,
        "roc_auc_ovr": present_mean(np.array(one_vs_rest(probability, truth))),
        "pr_auc_ovr": present_mean(np.array(areas)),
        "ece": expected_calibration_error(reliability(probability.max(axis=1), label == truth)),
        **_per_class(scores, ("precision", "recall", "f1"), task),
    }


def rows(
    tallies: Sequence[Tally],
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], npt.NDArray[np.float32]]:
    """Return truth (pictures,), label (pictures,) and probability (pictures, classes) of classified pictures."""
    probabilities = [tally.probability for tally in tallies if tally.probability is not None]
    truth = np.array([tally.truth for tally in tallies], np.int64)
    return truth, np.array([tally.label for tally in tallies], np.int64), np.stack(probabilities)


def matrix_of(tallies: Sequence[Tally], task: TaskSpec) -> Matrix:
    """Return the confusion matrix over several pictures: row = truth, column = prediction, in the network's order."""
    if task.kind is Kind.CLASSIFICATION:
        truth, label, _ = rows(tallies)
        return confusion_matrix(label, truth, len(task.classes))
    total = summed([tally.counts for tally in tallies])
    return total["matrix"] if "matrix" in total else total[FIELD_OF_VIEW].sum(axis=2).T


def _binary_figures(counts: npt.NDArray[np.int64]) -> Metrics:
    (tn, fn), (fp, tp) = counts.sum(axis=2).tolist()
    scores = Confusion(tp, fp, fn, tn)
    names = ("dice", "iou", "precision", "sensitivity", "specificity", "f1", "accuracy", "mcc")
    histogram = counts.sum(axis=0)
    areas = {"roc_auc": histogram_roc_auc(histogram), "pr_auc": histogram_average_precision(histogram)}
    return {name: float(getattr(scores, name)) for name in names} | areas


def _semantic_figures(counts: Counts, task: TaskSpec) -> Metrics:
    scores = class_scores(counts["matrix"])
    figures = {
        "mean_iou": present_mean(scores.iou),
        "mean_dice": present_mean(scores.f1),
        "macro_precision": present_mean(scores.precision),
        "macro_recall": present_mean(scores.recall),
        "macro_f1": present_mean(scores.f1),
        "accuracy": scores.accuracy,
        "mcc": scores.mcc,
        "ece": expected_calibration_error(level_bins(counts["confidence"])),
    }
    if "scores" in counts:
        areas = [(histogram_roc_auc(each), histogram_average_precision(each)) for each in counts["scores"]]
        roc, precision_recall = np.array(areas).T
        figures |= {"roc_auc_ovr": present_mean(roc), "pr_auc_ovr": present_mean(precision_recall)}
    return figures | _per_class(scores, ("iou", "precision", "recall", "f1"), task)


def _per_class(scores: ClassScores, names: Sequence[str], task: TaskSpec) -> Metrics:
    return {
        f"{name}_{info.name}": float(value)
        for name in names
        for info, value in zip(task.predicted, getattr(scores, name), strict=True)
    }


def _mean(values: Sequence[float]) -> float:
    return present_mean(np.array(values, np.float64))
