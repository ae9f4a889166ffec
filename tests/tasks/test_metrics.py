"""Binary metrics against scikit-learn, and the corners where ratios have no denominator."""

import math

import numpy as np
import pytest
from sklearn import metrics as reference

from tasks.errors import ShapeError
from tasks.metrics import (
    Confusion,
    average_precision,
    confusion,
    dice,
    histogram_average_precision,
    histogram_curves,
    histogram_roc_auc,
    one_vs_rest,
    roc_auc,
    score_histogram,
)

REFERENCES = {
    "dice": lambda truth, predicted: reference.f1_score(truth, predicted, zero_division=1.0),
    "f1": lambda truth, predicted: reference.f1_score(truth, predicted, zero_division=1.0),
    "iou": lambda truth, predicted: reference.jaccard_score(truth, predicted, zero_division=1.0),
    "precision": lambda truth, predicted: reference.precision_score(truth, predicted, zero_division=1.0),
    "sensitivity": lambda truth, predicted: reference.recall_score(truth, predicted, zero_division=1.0),
    "specificity": lambda truth, predicted: reference.recall_score(~truth, ~predicted, zero_division=1.0),
    "accuracy": reference.accuracy_score,
    "mcc": reference.matthews_corrcoef,
}
NONE, ALL = np.zeros(50, np.bool_), np.ones(50, np.bool_)
SOME = np.arange(50) % 3 == 0


def scored(seed: int) -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(seed)
    truth = generator.random(5000) < 0.1
    # Few levels, as in served bytes, so that ties are common.
    return np.clip(generator.normal(0.3 + 0.3 * truth, 0.2) * 20, 0, 20).astype(np.uint8), truth


@pytest.mark.parametrize("name", REFERENCES)
@pytest.mark.parametrize("seed", range(5))
def test_counts_give_what_scikit_learn_gives(name: str, seed: int) -> None:
    score, truth = scored(seed)
    assert getattr(confusion(score >= 10, truth), name) == pytest.approx(REFERENCES[name](truth, score >= 10))


@pytest.mark.parametrize("name", REFERENCES)
@pytest.mark.parametrize("truth", [NONE, ALL, SOME], ids=["none", "all", "some"])
@pytest.mark.parametrize("predicted", [NONE, ALL, SOME, ~SOME], ids=["none", "all", "some", "opposite"])
def test_corners_are_scikit_learns_with_ratios_of_nothing_as_one(
    name: str, truth: np.ndarray, predicted: np.ndarray
) -> None:
    # scikit-learn applies zero_division to F1 only where nothing is true and nothing predicted; so do we.
    assert getattr(confusion(predicted, truth), name) == pytest.approx(REFERENCES[name](truth, predicted))


@pytest.mark.parametrize("seed", range(5))
def test_areas_equal_scikit_learn(seed: int) -> None:
    score, truth = scored(seed)
    area, precision = reference.roc_auc_score(truth, score), reference.average_precision_score(truth, score)
    assert roc_auc(score, truth) == pytest.approx(area)
    assert average_precision(score, truth) == pytest.approx(precision)
    histogram = score_histogram(score, truth)
    assert histogram_roc_auc(histogram) == pytest.approx(area)
    assert histogram_average_precision(histogram) == pytest.approx(precision)


@pytest.mark.parametrize("seed", range(3))
def test_areas_of_untied_floats_equal_scikit_learn(seed: int) -> None:
    generator = np.random.default_rng(seed)
    score, truth = generator.normal(size=300), generator.random(300) < 0.4
    assert roc_auc(score, truth) == pytest.approx(reference.roc_auc_score(truth, score))
    assert average_precision(score, truth) == pytest.approx(reference.average_precision_score(truth, score))


def test_histograms_add_up_to_the_pooled_area() -> None:
    parts = [scored(seed) for seed in range(3)]
    pooled_score, pooled_truth = (np.concatenate(each) for each in zip(*parts, strict=True))
    total = np.sum([score_histogram(*part) for part in parts], axis=0)
    assert histogram_roc_auc(total) == pytest.approx(reference.roc_auc_score(pooled_truth, pooled_score))


def test_curves_equal_scikit_learn_at_its_thresholds() -> None:
    score, truth = scored(0)
    curves = histogram_curves(score_histogram(score, truth))
    false, true, _ = reference.roc_curve(truth, score, drop_intermediate=False)
    ours = set(zip(curves.false_positive_rate.round(12), curves.recall.round(12), strict=True))
    assert ours == set(zip(false.round(12), true.round(12), strict=True))


def test_equal_scores_rank_nothing() -> None:
    score = np.full(50, 7, np.uint8)
    assert roc_auc(score, SOME) == 0.5
    assert average_precision(score, SOME) == pytest.approx(SOME.mean())


def test_areas_of_one_class_are_not_numbers() -> None:
    levels = np.arange(50).astype(np.uint8)
    assert math.isnan(roc_auc(levels, ALL))
    assert math.isnan(roc_auc(levels, NONE))
    assert math.isnan(average_precision(levels, NONE))
    assert average_precision(levels, ALL) == 1.0


def test_one_vs_rest_equals_scikit_learn() -> None:
    generator = np.random.default_rng(1)
    truth = generator.integers(0, 4, 400)
    probability = generator.dirichlet(np.ones(4), 400) + np.eye(4)[truth] * 0.3
    probability /= probability.sum(axis=1, keepdims=True)
    expected = reference.roc_auc_score(truth, probability, multi_class="ovr", average="macro")
    assert np.mean(one_vs_rest(probability, truth)) == pytest.approx(expected)


def test_one_vs_rest_of_an_absent_class_is_not_a_number() -> None:
    areas = one_vs_rest(np.full((3, 3), 1 / 3), np.array([0, 1, 0]))
    assert areas[:2] == [0.5, 0.5]
    assert math.isnan(areas[2])


def test_counts_of_whole_surveys_do_not_overflow() -> None:
    huge = Confusion(4 * 10**10, 10**10, 10**10, 10**12)
    assert 0.78 < huge.mcc < 0.80


def test_shapes_must_agree() -> None:
    with pytest.raises(ShapeError, match="one shape"):
        dice(np.zeros(3, np.bool_), np.zeros(4, np.bool_))
    with pytest.raises(ShapeError, match="one shape"):
        score_histogram(np.zeros(3, np.uint8), np.zeros(4, np.bool_))
    with pytest.raises(ShapeError, match="one row"):
        one_vs_rest(np.zeros((3, 2)), np.zeros(4, np.int64))
