"""Thresholds, p-values and the correction agree with each other and with what is known."""

from functools import partial

import numpy as np
import pytest
from scipy import stats

from monitoring import distances
from monitoring.correction import holm_levels
from monitoring.resampling import Null, Split, nulls


def test_the_first_split_is_the_one_seen_and_the_others_keep_its_sizes() -> None:
    blocks = list(Split(7, 3, draws=50).blocks())
    reference, window = (np.concatenate(each) for each in zip(*blocks, strict=True))
    assert window[0].tolist() == [0] * 7 + [1] * 3
    assert len(window) == 51
    assert (window.sum(axis=1) == 3).all()
    assert (reference + window == 1).all()


def test_every_picture_is_drawn_as_often() -> None:
    _, window = list(Split(15, 5, draws=4000).blocks())[1]
    assert window.mean(axis=0) == pytest.approx(np.full(20, 0.25), abs=0.04)


def test_with_replacement_pictures_come_several_times() -> None:
    _, (reference, window) = Split(30, 10, draws=200, replace=True).blocks()
    assert (reference.sum(axis=1) == 30).all()
    assert (window.sum(axis=1) == 10).all()
    assert window.max() > 1


def test_blocks_bound_the_memory() -> None:
    sizes = [len(window) for _, window in Split(4000, 1000, draws=1000).blocks()]
    assert sizes == [1, 400, 400, 200]


def test_equal_seeds_draw_equal_splits() -> None:
    first, second = (list(Split(9, 4, 20, seed=8).blocks())[1][1] for _ in range(2))
    assert (first == second).all()


def test_p_value_counts_the_seen_split_too() -> None:
    assert Null(2.0, np.array([0.0, 1, 2, 3])).p_value == pytest.approx(3 / 5)
    assert Null(9.0, np.array([0.0, 1, 2, 3])).p_value == pytest.approx(1 / 5)


@pytest.mark.parametrize("level", [0.011, 0.05, 0.2, 0.5])
def test_a_score_is_over_its_threshold_where_its_p_value_is_at_most_the_level(level: float) -> None:
    drawn = np.sort(np.random.default_rng(1).random(99))
    for score in np.linspace(0, 1.1, 45):
        null = Null(float(score), drawn)
        assert (null.p_value <= level) == (score > null.threshold(level))


def test_no_score_alarms_at_a_level_that_so_few_draws_cannot_tell() -> None:
    assert Null(9.0, np.zeros(10)).threshold(0.05) == float("inf")


def test_p_value_is_near_scipys_for_kolmogorov_smirnov() -> None:
    generator = np.random.default_rng(6)
    first, second = generator.normal(size=60), generator.normal(0.45, 1, 40)
    steps = distances.steps(np.concatenate([first, second]))

    (null,) = nulls(Split(60, 40, draws=4000), [partial(_smirnov, steps)])
    assert null.p_value == pytest.approx(stats.ks_2samp(first, second, method="exact").pvalue, abs=0.015)


def test_thresholds_fall_as_the_window_grows() -> None:
    values = np.random.default_rng(7).random(1100)

    def threshold(window: int) -> float:
        steps = distances.steps(values[: 500 + window])
        return nulls(Split(500, window, 300), [partial(_smirnov, steps)])[0].threshold(0.05)

    found = [threshold(window) for window in (10, 60, 600)]
    assert found == sorted(found, reverse=True)
    assert found[0] > 3 * found[2]


def _smirnov(steps: distances.Steps, reference: np.ndarray, window: np.ndarray) -> tuple[np.ndarray]:
    return (distances.kolmogorov_smirnov(steps.cumulative(reference), steps.cumulative(window)),)


def test_holm_by_hand() -> None:
    """Of four at .05: .01 ≤ .05 / 4, .0125 ≤ .05 / 3, .03 > .05 / 2 and stops there, so .04 is held to .05 / 2 too."""
    assert holm_levels([0.03, 0.01, 0.04, 0.0125], 0.05) == pytest.approx([0.025, 0.0125, 0.025, 0.05 / 3])


def test_holm_keeps_the_rate_of_any_false_alarm_under_dependence() -> None:
    generator = np.random.default_rng(9)
    shared = generator.normal(size=(1000, 1))
    for weight in (0.0, 0.7, 0.99):
        noise = generator.normal(size=(1000, 20))
        p_values = stats.norm.sf(np.sqrt(weight) * shared + np.sqrt(1 - weight) * noise)
        wrong = [(row <= holm_levels(row.tolist(), 0.05)).any() for row in p_values]
        assert np.mean(wrong) <= 0.07
