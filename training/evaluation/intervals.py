"""How far the figures would move with other subjects: 95 % bootstrap intervals (see `tasks.metrics.bootstrap`)."""

from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt

from tasks import Kind, TaskSpec
from tasks.metrics import percentile_interval, present_mean, resampled_counts
from training.evaluation.figures import (
    Metrics,
    classification_figures,
    pooled_metrics,
    rows,
    segmentation_figures,
    summed,
)
from training.evaluation.tally import Judgement

Weights = npt.NDArray[np.int64]
PER_IMAGE = "per_image_"


def intervals(
    evaluated: Sequence[Judgement], task: TaskSpec, resamples: int, seed: int = 0
) -> dict[str, tuple[float, float]]:
    """Return the 95 % percentile interval of every figure of `pooled_metrics`; NaN where one is never defined.

    Empty for a single subject: nothing can be resampled, and an interval of no width would claim certainty.

    Args:
        evaluated: all judged pictures; whole subjects are resampled, never single pictures.
        task: of the pictures.
        resamples: how many; 0 gives no intervals. 1,000 take seconds: counts are resampled, not pixels.
        seed: equal seeds give equal intervals.
    """
    subjects = sorted({item.sample.subject for item in evaluated})
    if not resamples or len(subjects) < 2:
        return {}
    drawn = resampled_counts(len(subjects), resamples, seed)
    figures = list(_resampled(evaluated, subjects, task, drawn))
    return {name: percentile_interval([figure[name] for figure in figures]) for name in figures[0]}


def _resampled(
    evaluated: Sequence[Judgement], subjects: Sequence[str], task: TaskSpec, drawn: Weights
) -> Iterator[Metrics]:
    position = {subject: index for index, subject in enumerate(subjects)}
    subject_of = np.array([position[item.sample.subject] for item in evaluated])
    if task.kind is Kind.CLASSIFICATION:
        yield from _resampled_rows(evaluated, subject_of, task, drawn)
    else:
        yield from _resampled_counts(evaluated, subject_of, task, drawn)


def _resampled_rows(
    evaluated: Sequence[Judgement], subject_of: npt.NDArray[np.int64], task: TaskSpec, drawn: Weights
) -> Iterator[Metrics]:
    truth, label, probability = rows([item.tally for item in evaluated])
    for times in drawn:
        chosen = np.repeat(np.arange(len(evaluated)), times[subject_of])
        yield classification_figures(truth[chosen], label[chosen], probability[chosen], task)


def _resampled_counts(
    evaluated: Sequence[Judgement], subject_of: npt.NDArray[np.int64], task: TaskSpec, drawn: Weights
) -> Iterator[Metrics]:
    groups = [
        [item for item, index in zip(evaluated, subject_of, strict=True) if index == own] for own in _up_to(drawn)
    ]
    by_subject = [summed([item.tally.counts for item in group]) for group in groups]
    stacked = {name: np.stack([counts[name] for counts in by_subject]) for name in by_subject[0]}
    names = [name for name in pooled_metrics(evaluated, task) if name.startswith(PER_IMAGE)]
    own = np.array([[item.metrics[name.removeprefix(PER_IMAGE)] for name in names] for item in evaluated])
    for times in drawn:
        counts = {name: np.tensordot(times, each, axes=1) for name, each in stacked.items()}
        repeated = np.repeat(own, times[subject_of], axis=0)
        means = {name: present_mean(column) for name, column in zip(names, repeated.T, strict=True)}
        yield segmentation_figures(counts, task) | means


def _up_to(drawn: Weights) -> range:
    return range(drawn.shape[1])
