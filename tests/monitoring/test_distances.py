"""Each distance equals scipy's, or what its formula gives by hand."""

import numpy as np
import pytest
from scipy import stats
from scipy.spatial import distance as scipy_distance

from monitoring import distances


@pytest.fixture(params=["continuous", "ties", "sizes apart", "disjoint"])
def samples(request: pytest.FixtureRequest) -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(3)
    return {
        "continuous": (generator.normal(size=80), generator.normal(0.4, 1.3, 50)),
        "ties": (generator.integers(0, 5, 60).astype(float), generator.integers(1, 7, 40).astype(float)),
        "sizes apart": (generator.normal(size=200), generator.normal(size=7)),
        "disjoint": (generator.random(20), 5 + generator.random(30)),
    }[request.param]


def _functions(reference: np.ndarray, window: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    steps = distances.steps(np.concatenate([reference, window]))
    seen = np.append(np.zeros(len(reference)), np.ones(len(window)))
    return steps.cumulative(1 - seen), steps.cumulative(seen), steps.gaps


def test_kolmogorov_smirnov_is_scipys(samples: tuple[np.ndarray, np.ndarray]) -> None:
    first, second, _ = _functions(*samples)
    assert distances.kolmogorov_smirnov(first, second) == pytest.approx(stats.ks_2samp(*samples).statistic)


def test_wasserstein_is_scipys(samples: tuple[np.ndarray, np.ndarray]) -> None:
    first, second, gaps = _functions(*samples)
    assert distances.wasserstein(first, second, gaps) == pytest.approx(stats.wasserstein_distance(*samples))


def test_a_shift_of_everything_is_its_wasserstein_distance() -> None:
    values = np.random.default_rng(0).random(50)
    first, second, gaps = _functions(values, values + 0.25)
    assert distances.wasserstein(first, second, gaps) == pytest.approx(0.25)


def test_distances_take_many_splits_at_once() -> None:
    values, generator = np.random.default_rng(1).random(30), np.random.default_rng(2)
    counts = generator.integers(0, 2, (4, 30)).astype(float)
    steps = distances.steps(values)
    together = distances.kolmogorov_smirnov(steps.cumulative(counts), steps.cumulative(1 - counts))
    alone = [distances.kolmogorov_smirnov(steps.cumulative(row), steps.cumulative(1 - row)) for row in counts]
    assert together == pytest.approx(np.array(alone))


COUNTS = np.array([30.0, 12, 5, 0, 3]), np.array([10.0, 9, 1, 4, 6])


def test_chi_square_is_scipys() -> None:
    expected = stats.chi2_contingency(np.stack(COUNTS), correction=False).statistic
    assert distances.chi_square(*COUNTS) == pytest.approx(expected)


def test_an_empty_bin_of_both_does_not_count() -> None:
    with_empty = [np.append(counts, 0) for counts in COUNTS]
    assert distances.chi_square(*with_empty) == pytest.approx(distances.chi_square(*COUNTS))


def test_divergences_are_scipys() -> None:
    reference, window = (distances.smoothed_shares(counts) for counts in COUNTS)
    assert distances.kullback_leibler(reference, window) == pytest.approx(stats.entropy(window, reference))
    assert distances.jensen_shannon(reference, window) == pytest.approx(
        scipy_distance.jensenshannon(reference, window) ** 2
    )


def test_psi_is_the_divergence_both_ways() -> None:
    reference, window = (distances.smoothed_shares(counts) for counts in COUNTS)
    both = stats.entropy(window, reference) + stats.entropy(reference, window)
    assert distances.population_stability_index(reference, window) == pytest.approx(both)


def test_psi_by_hand() -> None:
    """Shares of .5, .5 and .8, .2: .3 ln 1.6 - .3 ln .4 = .6 ln 2."""
    found = distances.population_stability_index(np.array([0.5, 0.5]), np.array([0.8, 0.2]))
    assert found == pytest.approx(0.6 * np.log(2))


def test_smoothed_shares_are_over_0_and_sum_to_1() -> None:
    shares = distances.smoothed_shares(np.array([[0, 0, 0], [3, 0, 1]]))
    assert shares.min() > 0
    assert shares.sum(axis=1) == pytest.approx([1, 1])
    assert shares[1] == pytest.approx(np.array([3.5, 0.5, 1.5]) / 5.5)


def test_equal_samples_have_no_distance() -> None:
    first, second, gaps = _functions(COUNTS[0], COUNTS[0])
    same = distances.smoothed_shares(COUNTS[0])
    assert distances.kolmogorov_smirnov(first, second) == 0
    assert distances.wasserstein(first, second, gaps) == 0
    for distance in (distances.population_stability_index, distances.kullback_leibler, distances.jensen_shannon):
        assert distance(same, same) == pytest.approx(0)


def test_mmd_is_the_mean_of_kernels() -> None:
    """Gretton et al. 2012, equation 5, written out as three double sums."""
    generator = np.random.default_rng(4)
    vectors = generator.normal(size=(25, 3))
    kernel = distances.gaussian_kernel(vectors)
    seen = np.append(np.zeros(15), np.ones(10))
    by_hand = kernel[:15, :15].mean() + kernel[15:, 15:].mean() - 2 * kernel[:15, 15:].mean()
    assert distances.squared_mmd(kernel, (1 - seen) / 15, seen / 10) == pytest.approx(by_hand, rel=1e-4)


def test_the_kernel_is_gaussian_with_the_median_distance() -> None:
    vectors = np.array([[0.0], [1.0], [3.0]])
    scaled = vectors / vectors.std()
    squared = (scaled - scaled.T) ** 2
    median = np.median(squared[np.triu_indices(3, 1)])
    assert distances.gaussian_kernel(vectors) == pytest.approx(np.exp(-squared / (2 * median)), rel=1e-5)


def test_a_scale_of_one_dimension_does_not_change_the_kernel() -> None:
    vectors = np.random.default_rng(5).normal(size=(20, 4))
    stretched = vectors * np.array([1, 1000, 1, 0.01])
    assert distances.gaussian_kernel(stretched) == pytest.approx(distances.gaussian_kernel(vectors), abs=1e-4)


def test_equal_vectors_have_a_kernel_of_ones() -> None:
    assert distances.gaussian_kernel(np.full((5, 3), 2.0)) == pytest.approx(np.ones((5, 5)))
