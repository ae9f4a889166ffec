"""Has it drifted? Pure judgement of figures: many distances, what they are under no drift, one false-alarm rate."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from monitoring import distances
from monitoring.correction import holm_levels
from monitoring.errors import NoImagesError, UsageError
from monitoring.labels import performance_names
from monitoring.pictures import NO_LABEL, Figures
from monitoring.resampling import Counts, Distances, Null, Split, nulls
from tasks import TaskSpec
from tasks.statistics import INPUT_STATISTICS, prediction_names

INPUT, PREDICTION, PERFORMANCE = "input", "prediction", "performance"
KINDS = (INPUT, PREDICTION, PERFORMANCE)
# With fewer, even a window of another world is hard to tell from chance after the correction for many tests.
FEWEST_IMAGES = 10
FEWEST_LABELS = 5
# A bin should expect five pictures of the smaller sample (Cochran, "Some methods for strengthening the common χ²
# tests", Biometrics 10 (1954)); more than ten bins show no more.
_PER_BIN, _MOST_BINS = 5, 10
Values = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Rule:
    """How the judgement is made.

    Attributes:
        alpha: probability of any false alarm at all, 0–1.
        draws: splits under no drift.
        seed: of the splits.
        replace: draw with replacement; see `Split`.
    """

    alpha: float = 0.05
    draws: int = 5000
    seed: int = 0
    replace: bool = False


@dataclass(frozen=True)
class Finding:
    """A distance, judged.

    Attributes:
        kind: one of KINDS.
        statistic, method: what was compared, and how.
        score: the distance.
        threshold: alarm above it; of this window's size and after the correction for many tests.
        p_value: before that correction.
        alarm: whether this alarms.
    """

    kind: str
    statistic: str
    method: str
    score: float
    threshold: float
    p_value: float
    alarm: bool


@dataclass(frozen=True)
class Question:
    """Distances of one statistic that are to be judged: what they are called, and the function of all of them."""

    kind: str
    statistic: str
    methods: tuple[str, ...]
    measure: Distances


def judge(
    reference: Figures,
    window: Figures,
    task: TaskSpec,
    rule: Rule,
    performance: tuple[Values, Values] | None = None,
) -> list[Finding]:
    """Return every test, of the kinds in order; a statistic that is the same for all pictures is not tested.

    Args:
        reference, window: figures of the pictures of both.
        task: whose statistics they are.
        rule: how it is judged.
        performance: of labelled pictures of reference and window, float64 (pictures, 2) each, where there are any.

    Raises:
        NoImagesError: fewer pictures or labels than FEWEST_IMAGES or FEWEST_LABELS.
        UsageError: too few draws for alpha and so many tests.
    """
    _check_sizes(len(reference), len(window), FEWEST_IMAGES, "pictures")
    split = Split(len(reference), len(window), rule.draws, rule.seed, rule.replace)
    asked = _questions(reference, window, task)
    found = nulls(split, [question.measure for question in asked])
    if performance is not None:
        more = _performance_questions(*performance, task)
        asked += more
        few = Split(len(performance[0]), len(performance[1]), rule.draws, rule.seed, rule.replace)
        found += nulls(few, [question.measure for question in more])
    return _tests(asked, found, rule)


def _check_sizes(reference: int, window: int, fewest: int, what: str) -> None:
    for count, name in ((reference, "the reference"), (window, "the window")):
        if count < fewest:
            raise NoImagesError(f"{name} has {count} {what} and drift is judged from {fewest} on: gather more.")


def _tests(asked: Sequence[Question], found: Sequence[Null], rule: Rule) -> list[Finding]:
    if rule.alpha * (rule.draws + 1) < len(found):
        least = int(np.ceil(len(found) / rule.alpha))
        raise UsageError(f"{rule.draws} draws cannot tell {len(found)} tests at {rule.alpha:g}: take {least} or more.")
    levels = holm_levels([null.p_value for null in found], rule.alpha)
    names = [(question.kind, question.statistic, method) for question in asked for method in question.methods]
    return [
        Finding(*name, null.score, null.threshold(level), null.p_value, null.p_value <= level)
        for name, null, level in zip(names, found, levels, strict=True)
    ]


def _questions(reference: Figures, window: Figures, task: TaskSpec) -> list[Question]:
    bins = _bin_count(len(reference), len(window))
    asked: list[Question] = []
    for name, values in zip(INPUT_STATISTICS, np.concatenate([reference.input, window.input]).T, strict=True):
        asked += _input_questions(name, values, bins)
    vectors = np.concatenate([reference.embedding, window.embedding])
    asked.append(Question(INPUT, "embedding", ("mmd",), partial(_mmd, distances.gaussian_kernel(vectors))))
    said = np.concatenate([reference.prediction, window.prediction]).T
    for name, values in zip(prediction_names(task), said, strict=True):
        asked += _prediction_questions(name, _in_bins(values, bins))
    labels = np.concatenate([reference.label, window.label])
    return asked + (_prediction_questions("label", _one_hot(labels)) if labels.max() > NO_LABEL else [])


def _bin_count(reference: int, window: int) -> int:
    return int(np.clip(min(reference, window) // _PER_BIN, 2, _MOST_BINS))


def _input_questions(name: str, values: Values, bins: int) -> list[Question]:
    if np.ptp(values) == 0:
        return []
    measure = partial(_of_input, distances.steps(values), _in_bins(values, bins))
    return [Question(INPUT, name, ("ks", "wasserstein", "psi"), measure)]


def _prediction_questions(name: str, binned: Counts) -> list[Question]:
    if binned.shape[1] < 2:
        return []
    return [Question(PREDICTION, name, ("kl", "jensen_shannon", "chi_square"), partial(_of_prediction, binned))]


def _performance_questions(reference: Values, window: Values, task: TaskSpec) -> list[Question]:
    """One-sided: a network that has become better is no reason to wake anybody."""
    _check_sizes(len(reference), len(window), FEWEST_LABELS, "labelled pictures")
    both = np.concatenate([reference, window]).T * np.array([[1.0], [-1.0]])
    return [
        Question(PERFORMANCE, name, ("mean_worse",), partial(_mean_rise, values))
        for name, values in zip(performance_names(task), both, strict=True)
        if np.ptp(values) > 0
    ]


def _of_input(steps: distances.Steps, binned: Counts, reference: Counts, window: Counts) -> tuple[Values, ...]:
    functions = steps.cumulative(reference), steps.cumulative(window)
    shares = distances.smoothed_shares(reference @ binned), distances.smoothed_shares(window @ binned)
    return (
        distances.kolmogorov_smirnov(*functions),
        distances.wasserstein(*functions, steps.gaps),
        distances.population_stability_index(*shares),
    )


def _of_prediction(binned: Counts, reference: Counts, window: Counts) -> tuple[Values, ...]:
    counts = reference @ binned, window @ binned
    shares = distances.smoothed_shares(counts[0]), distances.smoothed_shares(counts[1])
    return distances.kullback_leibler(*shares), distances.jensen_shannon(*shares), distances.chi_square(*counts)


def _mmd(kernel: Counts, reference: Counts, window: Counts) -> tuple[Values]:
    return (distances.squared_mmd(kernel, _shares(reference), _shares(window)),)


def _mean_rise(values: Values, reference: Counts, window: Counts) -> tuple[Values]:
    return (np.asarray(_shares(window) @ values - _shares(reference) @ values),)


def _shares(counts: Counts) -> Counts:
    return np.asarray(counts / counts.sum(axis=1, keepdims=True), np.float32)


def _in_bins(values: Values, bins: int) -> Counts:
    """Return in which bin each value lies: float32 (values, bins). Edges are quantiles of all values.

    Of all, not of the reference's: then no draw has bins of its own, and the p-value stays exact.
    """
    edges = np.unique(np.quantile(values, np.linspace(0, 1, bins + 1)[1:-1]))
    return _one_hot(np.searchsorted(edges, values, side="right"))


def _one_hot(indices: npt.NDArray[np.integer[Any]]) -> Counts:
    distinct, place = np.unique(indices, return_inverse=True)
    return np.eye(len(distinct), dtype=np.float32)[place]


def alarms(tests: Sequence[Finding]) -> Iterator[Finding]:
    """Yield the tests that alarm, the clearest first: by how often the score is its threshold."""
    clearest = sorted(tests, key=lambda test: (test.p_value, -excess(test)))
    return (test for test in clearest if test.alarm)


def excess(test: Finding) -> float:
    """Return score over threshold, 0 or more; over 1 where the test alarms."""
    return max(test.score, 0.0) / test.threshold if 0 < test.threshold < float("inf") else float(test.alarm)
