"""Every metric against scikit-learn, and the corners where ratios have no denominator."""

import math

import numpy as np
import pytest
from sklearn import metrics as reference

from tasks.errors import ShapeError
from tasks.metrics import confusion, dice, roc_auc


@pytest.mark.parametrize("seed", range(5))
def test_metrics_equal_scikit_learn(seed: int) -> None:
    generator = np.random.default_rng(seed)
    truth = generator.random(5000) < 0.1
    # Few levels, as in served bytes, so that ties are common.
    score = np.clip(generator.normal(0.3 + 0.3 * truth, 0.2) * 20, 0, 20).astype(np.uint8)
    predicted = score >= 10
    counts = confusion(predicted, truth)
    assert dice(predicted, truth) == pytest.approx(reference.f1_score(truth, predicted))
    assert counts.accuracy == pytest.approx(reference.accuracy_score(truth, predicted))
    assert counts.sensitivity == pytest.approx(reference.recall_score(truth, predicted))
    assert counts.specificity == pytest.approx(reference.recall_score(~truth, ~predicted))
    assert roc_auc(score, truth) == pytest.approx(reference.roc_auc_score(truth, score))


def test_nothing_to_find_and_nothing_found_is_perfect() -> None:
    empty = np.zeros(10, np.bool_)
    assert dice(empty, empty) == 1.0
    assert confusion(empty, empty).sensitivity == 1.0


def test_roc_auc_of_one_class_is_not_a_number() -> None:
    assert math.isnan(roc_auc(np.arange(4), np.ones(4, np.bool_)))


def test_shapes_must_agree() -> None:
    with pytest.raises(ShapeError, match="one shape"):
        dice(np.zeros(3, np.bool_), np.zeros(4, np.bool_))
