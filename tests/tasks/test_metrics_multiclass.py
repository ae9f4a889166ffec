"""Metrics of several classes, calibration and the bootstrap against scikit-learn, torchmetrics and SciPy."""

import math

import numpy as np
import pytest
import torch
from sklearn import metrics as reference
from torchmetrics.functional.classification import multiclass_calibration_error

from tasks.errors import ShapeError
from tasks.metrics import (
    class_scores,
    confusion_matrix,
    expected_calibration_error,
    level_bins,
    percentile_interval,
    present_mean,
    reliability,
    resampled_counts,
)


def labelled(seed: int, classes: int = 5, count: int = 600) -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(seed)
    truth = generator.integers(0, classes, count)
    return truth, np.where(generator.random(count) < 0.6, truth, generator.integers(0, classes, count))


CASES = {
    **{f"random {seed}": labelled(seed) for seed in range(4)},
    "class 4 in neither": labelled(9, classes=4),
    "class 0 never predicted": (labelled(1)[0], np.maximum(labelled(1)[1], 1)),
    "class 0 never true": (np.maximum(labelled(2)[0], 1), labelled(2)[1]),
    "all equal": (np.full(20, 3), np.full(20, 3)),
    "all wrong": (np.full(20, 3), np.full(20, 2)),
}
every_case = pytest.mark.parametrize(("truth", "predicted"), CASES.values(), ids=CASES)


@every_case
def test_matrix_equals_scikit_learn(truth: np.ndarray, predicted: np.ndarray) -> None:
    expected = reference.confusion_matrix(truth, predicted, labels=range(5))
    assert np.array_equal(confusion_matrix(predicted, truth, 5), expected)


@every_case
def test_scores_equal_scikit_learn_over_the_classes_that_are_there(truth: np.ndarray, predicted: np.ndarray) -> None:
    scores = class_scores(confusion_matrix(predicted, truth, 5))
    there = np.union1d(truth, predicted)
    precision, recall, f1, _ = reference.precision_recall_fscore_support(
        truth, predicted, labels=there, zero_division=0.0
    )
    assert scores.precision[there] == pytest.approx(precision)
    assert scores.recall[there] == pytest.approx(recall)
    assert scores.f1[there] == pytest.approx(f1)
    assert scores.iou[there] == pytest.approx(reference.jaccard_score(truth, predicted, average=None, labels=there))
    assert np.isnan(np.delete(scores.iou, there)).all(), "of a class that is nowhere nothing is known"


@every_case
def test_means_equal_scikit_learns_macro_averages(truth: np.ndarray, predicted: np.ndarray) -> None:
    scores = class_scores(confusion_matrix(predicted, truth, 5))
    assert present_mean(scores.f1) == pytest.approx(reference.f1_score(truth, predicted, average="macro"))
    assert present_mean(scores.iou) == pytest.approx(reference.jaccard_score(truth, predicted, average="macro"))
    assert scores.accuracy == pytest.approx(reference.accuracy_score(truth, predicted))
    assert scores.mcc == pytest.approx(reference.matthews_corrcoef(truth, predicted))


def test_mean_over_no_class_is_not_a_number() -> None:
    assert math.isnan(present_mean(class_scores(np.zeros((3, 3), np.int64)).iou))


def test_index_without_a_class_is_refused() -> None:
    with pytest.raises(ShapeError, match="predicted classes 0–3 do not fit 3"):
        confusion_matrix(np.array([0, 3]), np.array([0, 1]), 3)
    with pytest.raises(ShapeError, match="one shape"):
        confusion_matrix(np.array([0]), np.array([0, 1]), 3)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("concentration", [0.1, 1.0])
def test_calibration_error_equals_torchmetrics(seed: int, concentration: float) -> None:
    generator = np.random.default_rng(seed)
    probability = generator.dirichlet(np.full(4, concentration), 500).astype(np.float32)
    truth = generator.integers(0, 4, 500)
    expected = multiclass_calibration_error(
        torch.from_numpy(probability), torch.from_numpy(truth), num_classes=4, n_bins=15, norm="l1"
    )
    ours = expected_calibration_error(reliability(probability.max(axis=1), probability.argmax(axis=1) == truth))
    assert ours == pytest.approx(float(expected), abs=1e-5)


def test_calibration_of_levels_equals_that_of_their_predictions() -> None:
    generator = np.random.default_rng(0)
    level, right = generator.integers(0, 256, 3000), generator.random(3000) < 0.7
    histogram = np.stack([np.bincount(level[right == side], minlength=256) for side in (False, True)])
    for ours, expected in zip(level_bins(histogram), reliability(np.linspace(0, 1, 256)[level], right), strict=True):
        assert (ours.count, ours.confidence, ours.accuracy) == pytest.approx(
            (expected.count, expected.confidence, expected.accuracy)
        )


def test_calibration_corners() -> None:
    always = reliability(np.ones(10), np.ones(10, np.bool_))
    assert [(bar.count, bar.confidence, bar.accuracy) for bar in always] == [(10, 1.0, 1.0)]
    assert expected_calibration_error(always) == 0.0
    assert expected_calibration_error(reliability(np.ones(10), np.zeros(10, np.bool_))) == 1.0
    assert reliability(np.zeros(1), np.ones(1, np.bool_))[0].count == 1, "confidence 0 has a bin"
    assert math.isnan(expected_calibration_error([]))


def test_interval_of_a_mean_is_that_of_the_normal_distribution() -> None:
    values = np.random.default_rng(0).normal(size=400)
    drawn = resampled_counts(400, 4000, seed=1)
    low, high = percentile_interval(drawn @ values / 400)
    half = 1.96 * values.std() / 20
    assert (low, high) == pytest.approx((values.mean() - half, values.mean() + half), abs=0.01)


def test_resamples_are_repeatable_and_whole() -> None:
    drawn = resampled_counts(7, 100, seed=3)
    assert (drawn.sum(axis=1) == 7).all()
    assert np.array_equal(drawn, resampled_counts(7, 100, seed=3))
    assert not np.array_equal(drawn, resampled_counts(7, 100, seed=4))


def test_interval_leaves_out_what_is_not_defined() -> None:
    assert percentile_interval([0.5, float("nan"), 0.5]) == (0.5, 0.5)
    assert all(math.isnan(bound) for bound in percentile_interval([float("nan")]))
