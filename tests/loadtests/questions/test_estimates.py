"""The estimates say what they promise of invented data: bounds that hold as often as they claim, and no more."""

import numpy as np
import pytest

from loadtests.estimates.ratio import _student_quantile, paired_ratio
from loadtests.estimates.threshold import threshold
from loadtests.estimates.trend import piecewise_medians, rise_p_value, theil_sen, trend

TIMES_S = np.arange(240.0)


def wandering(rng: np.random.Generator, memory: float, count: int = 240) -> np.ndarray:
    """An AR(1) series of unit innovations: each value remembers the one before."""
    values = np.zeros(count)
    for place, shock in enumerate(rng.normal(0, 1, count - 1), start=1):
        values[place] = memory * values[place - 1] + shock
    return values


def test_a_clean_threshold_is_bracketed_by_its_trials() -> None:
    rates = [50, 100, 200, 140, 120, 110, 115, 117, 113]
    found = threshold(rates, [rate < 116 for rate in rates], bounds=(30, 300))
    assert 112 < found.estimate < 120
    assert found.low < 116 < found.high
    assert found.relative_width < 0.6


def test_one_spoilt_trial_far_below_does_not_move_the_threshold() -> None:
    rates = [50, 100, 200, 140, 120, 110, 115, 117, 113]
    clean = threshold(rates, [rate < 116 for rate in rates], bounds=(30, 300))
    spoilt = threshold([*rates, 60], [*(rate < 116 for rate in rates), False], bounds=(30, 300))
    assert spoilt.estimate == pytest.approx(clean.estimate, rel=0.03)


def test_threshold_interval_holds_a_soft_threshold_as_often_as_it_says() -> None:
    held = 0
    for seed in range(60):
        rng = np.random.default_rng(seed)
        rates = np.exp(rng.normal(np.log(100), 0.15, 24))
        passed = rng.random(24) < 1 / (1 + np.exp((np.log(rates) - np.log(100)) / 0.06))
        found = threshold(rates.tolist(), passed.tolist(), bounds=(40, 250))
        held += found.low <= 100 <= found.high
    assert held >= 54


def test_paired_ratio_ignores_what_slows_both() -> None:
    rng = np.random.default_rng(0)
    machine = np.exp(np.cumsum(rng.normal(0, 0.3, 16)))
    found = paired_ratio(machine, 1.1 * machine * np.exp(rng.normal(0, 0.01, 16)))
    assert found.low < 1.1 < found.high
    assert found.relative_width < 0.03


@pytest.mark.parametrize("burst", [0.0, 0.15])
def test_paired_ratio_interval_errs_as_rarely_as_it_says(burst: float) -> None:
    wrong = 0
    for seed in range(100):
        rng = np.random.default_rng(seed)
        noise = np.exp(rng.normal(0, 0.1, (2, 16))) * np.where(rng.random((2, 16)) < burst, 1.5, 1.0)
        found = paired_ratio(noise[0], noise[1])
        wrong += not found.low <= 1 <= found.high
    assert wrong <= 9  # of 100, where 5 are promised: 10 or more would come once in 35


@pytest.mark.parametrize(("freedom", "quantile"), [(3, 3.1824), (9, 2.2622), (19, 2.0930)])
def test_students_quantile_is_that_of_the_tables(freedom: int, quantile: float) -> None:
    assert _student_quantile(0.975, freedom) == pytest.approx(quantile, rel=0.01)


def test_theil_sen_is_the_slope_that_outliers_do_not_move() -> None:
    values = 3 * TIMES_S[:50] + 7
    values[::7] += 1000
    assert theil_sen(TIMES_S[:50], values) == pytest.approx(3, abs=0.01)


def test_mann_kendall_p_value_of_a_known_series() -> None:
    # S = 45 of 45, variance 10·9·25/18 = 125, z = 44/√125 = 3.935
    values = np.arange(10.0)
    assert rise_p_value(values, np.random.default_rng(1).permutation(10).astype(float)) == pytest.approx(
        4.15e-5, rel=0.05
    )
    assert rise_p_value(values[::-1], np.zeros(10)) > 0.999


@pytest.mark.parametrize("memory", [0.0, 0.9])
def test_what_only_wanders_is_seldom_a_trend(memory: float) -> None:
    found = [trend(TIMES_S, wandering(np.random.default_rng(seed), memory)) for seed in range(60)]
    assert sum(each is not None and each.p_value < 0.01 for each in found) <= 6


def test_uncorrected_the_wandering_would_be_a_trend() -> None:
    """The correction earns its place: with ranks that look independent the same series fail more often."""
    alarms = {"corrected": 0, "independent": 0}
    for seed in range(100):
        rng = np.random.default_rng(seed)
        middles_s, medians = piecewise_medians(TIMES_S, wandering(rng, 0.95))
        residuals = medians - theil_sen(middles_s, medians) * middles_s
        alarms["corrected"] += rise_p_value(medians, residuals) < 0.01
        alarms["independent"] += rise_p_value(medians, rng.permutation(residuals)) < 0.01
    assert alarms["independent"] > 1.5 * alarms["corrected"]


def test_a_leak_is_a_trend_of_its_own_size_that_goes_on() -> None:
    found = trend(TIMES_S, 100 + TIMES_S / 4 + wandering(np.random.default_rng(3), 0.5))
    assert found is not None
    assert found.rise == pytest.approx(60, rel=0.1)
    assert found.late_rise == pytest.approx(60, rel=0.2)
    assert found.p_value < 1e-6


def test_a_leak_without_noise_is_a_trend() -> None:
    found = trend(TIMES_S, 100 + TIMES_S / 4)
    assert found is not None
    assert found.p_value < 1e-6


def test_what_levels_off_does_not_go_on() -> None:
    found = trend(TIMES_S, 100 * (1 - np.exp(-TIMES_S / 30)) + wandering(np.random.default_rng(3), 0.5))
    assert found is not None
    assert found.late_rise < 0.3 * found.rise


def test_too_few_samples_tell_no_trend() -> None:
    assert trend(TIMES_S[:11], TIMES_S[:11]) is None
    assert trend(np.empty(0), np.empty(0)) is None
