"""The bars of drift: few false alarms over all tests together, and planted shifts are seen."""

from collections.abc import Callable

import numpy as np
import pytest

from monitoring.errors import NoImagesError, UsageError
from monitoring.judgement import INPUT, PERFORMANCE, PREDICTION, Finding, Rule, alarms, judge
from monitoring.pictures import NO_LABEL, Figures
from tasks import TaskSpec, get_task
from tasks.statistics import INPUT_STATISTICS, prediction_names

VESSELS, EYES = get_task("vessels"), get_task("eye_disease")
FAST = Rule(draws=640)


def figures(count: int, seed: int, task: TaskSpec = EYES) -> Figures:
    """Figures as of photographs: channels that move together, skewed confidence, classes of unequal share."""
    generator = np.random.default_rng(seed)
    light = generator.normal(0.4, 0.08, (count, 1))
    channels = light + generator.normal(0, 0.03, (count, 4))
    sizes = np.full((count, 2), 224.0)
    sharpness = generator.normal(2, 0.3, (count, 1))
    confidence = generator.beta(6, 1, (count, 1))
    others = generator.random((count, len(prediction_names(task)) - 2)) * confidence
    label = generator.choice(4, count, p=[0.4, 0.3, 0.2, 0.1]) if task is EYES else np.full(count, NO_LABEL)
    embedding = np.concatenate([channels, generator.normal(size=(count, 12))], axis=1).astype(np.float32)
    inputs = np.concatenate([sizes, channels[:, :1], sharpness, channels], axis=1)[:, : len(INPUT_STATISTICS)]
    return Figures(inputs, np.concatenate([confidence, 1 - confidence, others], axis=1), label, embedding)


def with_input(found: Figures, statistic: str, change: Callable[[np.ndarray], np.ndarray]) -> Figures:
    changed = found.input.copy()
    column = INPUT_STATISTICS.index(statistic)
    changed[:, column] = change(changed[:, column])
    return Figures(changed, found.prediction, found.label, found.embedding)


@pytest.mark.parametrize(("task", "window"), [(EYES, 40), (VESSELS, 12)], ids=["eye_disease", "vessels"])
def test_at_most_5_percent_of_200_windows_without_drift_alarm(task: TaskSpec, window: int) -> None:
    wrong = [
        any(test.alarm for test in judge(figures(60, seed, task), figures(window, seed + 1000, task), task, FAST))
        for seed in range(200)
    ]
    assert np.mean(wrong) <= 0.05


@pytest.mark.parametrize("resampled", [False, True], ids=["permuted", "bootstrap"])
def test_the_false_alarm_rate_is_near_alpha_where_one_test_is_made(resampled: bool) -> None:
    """No correction can hide a null distribution that is too wide: with one test alone the rate is alpha itself."""
    from monitoring import distances
    from monitoring.resampling import Split, nulls

    def p_value(seed: int) -> float:
        values = np.random.default_rng(seed).normal(size=90)
        steps = distances.steps(values)

        def distance(reference: np.ndarray, window: np.ndarray) -> tuple[np.ndarray]:
            return (distances.wasserstein(steps.cumulative(reference), steps.cumulative(window), steps.gaps),)

        return nulls(Split(60, 30, 199, seed, replace=resampled), [distance])[0].p_value

    rate = np.mean([p_value(seed) <= 0.1 for seed in range(400)])
    assert 0.06 <= rate <= 0.14


PLANTED = {
    "brightness +15 %": lambda found: with_input(found, "brightness", lambda values: values * 1.15),
    "blur": lambda found: with_input(found, "sharpness", lambda values: values - 0.5),
    "colour cast": lambda found: with_input(found, "red", lambda values: values * 1.15),
    "class share": lambda found: Figures(
        found.input, found.prediction, np.where(np.arange(len(found)) % 4 == 0, 3, found.label), found.embedding
    ),
    "embedding": lambda found: Figures(found.input, found.prediction, found.label, found.embedding + np.float32(0.6)),
}


@pytest.mark.parametrize("shift", PLANTED)
def test_a_planted_shift_alarms_in_9_of_10_windows(shift: str) -> None:
    seen = [
        any(test.alarm for test in judge(figures(200, seed), PLANTED[shift](figures(120, seed + 500)), EYES, FAST))
        for seed in range(15)
    ]
    assert np.mean(seen) >= 0.9


def _alarming(tests: list[Finding]) -> set[tuple[str, str]]:
    return {(test.kind, test.statistic) for test in tests if test.alarm}


def test_what_alarms_is_what_moved() -> None:
    tests = judge(figures(200, 1), PLANTED["blur"](figures(150, 2)), EYES, FAST)
    assert _alarming(tests) == {(INPUT, "sharpness")}
    tests = judge(figures(200, 1), PLANTED["class share"](figures(150, 2)), EYES, FAST)
    assert _alarming(tests) == {(PREDICTION, "label")}


def test_every_method_is_there_once_and_alarms_where_its_score_is_over_its_threshold() -> None:
    tests = judge(figures(100, 1), PLANTED["colour cast"](figures(80, 2)), EYES, FAST)
    found = [(test.kind, test.statistic, test.method) for test in tests]
    assert len(set(found)) == len(found)
    assert {test.method for test in tests if test.kind == INPUT} == {"ks", "psi", "wasserstein", "mmd"}
    assert {test.method for test in tests if test.kind == PREDICTION} == {"kl", "jensen_shannon", "chi_square"}
    assert all(test.alarm == (test.score > test.threshold) for test in tests)
    assert [test.p_value for test in alarms(tests)] == sorted(test.p_value for test in tests if test.alarm)


def test_a_statistic_that_never_varies_is_not_tested_until_it_does() -> None:
    reference, window = figures(60, 1), figures(40, 2)
    assert "width_px" not in {test.statistic for test in judge(reference, window, EYES, FAST)}
    larger = with_input(window, "width_px", lambda values: values * 2)
    assert (INPUT, "width_px") in _alarming(judge(reference, larger, EYES, FAST))


def _performance(count: int, seed: int, worse: float = 0.0) -> np.ndarray:
    generator = np.random.default_rng(seed)
    return np.stack([generator.gamma(2, 0.1, count) + worse, generator.normal(0.8, 0.04, count) - worse], axis=1)


def test_performance_alarms_when_it_is_worse_and_not_when_it_is_better() -> None:
    def judged(worse: float) -> set[tuple[str, str]]:
        pair = _performance(60, 1), _performance(40, 2, worse)
        return _alarming(judge(figures(100, 1, VESSELS), figures(60, 2, VESSELS), VESSELS, FAST, pair))

    assert judged(0.15) == {(PERFORMANCE, "cross_entropy"), (PERFORMANCE, "dice")}
    assert judged(0.0) == judged(-0.15) == set()


def test_too_small_a_window_is_one_sentence() -> None:
    with pytest.raises(NoImagesError, match="the window has 9 pictures and drift is judged from 10 on"):
        judge(figures(50, 1), figures(9, 2), EYES, FAST)
    with pytest.raises(NoImagesError, match="the window has 3 labelled pictures"):
        judge(figures(50, 1), figures(20, 2), EYES, FAST, (_performance(20, 1), _performance(3, 2)))


def test_too_few_draws_are_one_sentence() -> None:
    with pytest.raises(UsageError, match=r"300 draws cannot tell 28 tests at 0\.05: take 560 or more"):
        judge(figures(50, 1), figures(20, 2), EYES, Rule(draws=300))
