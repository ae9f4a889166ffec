"""Colour alone: learns what colour tells, learns nothing from what it does not, and judges as networks are judged."""

from dataclasses import replace

import numpy as np
import pytest
from stand_in import small_task, stand_in_samples

from training.baselines import baseline, has_baseline, picture_features
from training.errors import ConfigError, DataError
from training.evaluation import intervals, pooled_metrics

pytestmark = pytest.mark.slow
with_baseline = pytest.mark.parametrize("name", ["eye_disease", "dubai_aerial", "landcover_ai"])


@with_baseline
def test_colour_that_tells_everything_is_learnt(name: str) -> None:
    task = small_task(name)
    samples = stand_in_samples(task, count=160 if name == "eye_disease" else 12)
    cut = len(samples) * 2 // 3
    judged = baseline(samples[:cut], samples[cut:], task)
    assert [item.sample.name for item in judged] == [sample.name for sample in samples[cut:]]
    assert pooled_metrics(judged, task)["macro_f1"] > 0.99
    assert intervals(judged, task, resamples=20)["accuracy"][0] > 0.9


def test_colour_that_tells_nothing_stays_at_chance() -> None:
    task = small_task("eye_disease")
    generator = np.random.default_rng(0)
    samples = [replace(each, label=int(generator.integers(0, 4))) for each in stand_in_samples(task, count=160)]
    figures = pooled_metrics(baseline(samples[:80], samples[80:], task), task)
    assert 0.05 < figures["accuracy"] < 0.45


def test_equal_samples_give_equal_answers() -> None:
    task = small_task("dubai_aerial")
    samples = stand_in_samples(task, count=6, noise=0.3)
    first, second = (pooled_metrics(baseline(samples[:4], samples[4:], task), task) for _ in range(2))
    assert first == second


def test_features_are_shares() -> None:
    task = small_task("eye_disease")
    features = picture_features(stand_in_samples(task)[0].read().encoded, task)
    assert features.shape == (8 * 8 * 3 + 6 * 16,)
    assert features[192:].reshape(6, 16).sum(axis=1) == pytest.approx(np.ones(6))


def test_what_cannot_be_asked_is_one_sentence() -> None:
    vessels, eyes = small_task("vessels"), small_task("eye_disease")
    assert not has_baseline(vessels)
    with pytest.raises(ConfigError, match="no colour baseline"):
        baseline([], [], vessels)
    alike = [replace(each, label=1) for each in stand_in_samples(eyes)]
    with pytest.raises(DataError, match="one class only"):
        baseline(alike, alike, eyes)
