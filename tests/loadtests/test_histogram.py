import json

import numpy as np
import pytest

from loadtests.histogram import HIGHEST_NS, LOWEST_NS, Histogram
from loadtests.measurements import NS_PER_MS, QUANTILES, quantiles_ms


def _times_ns(count: int, seed: int = 0) -> np.ndarray:
    """From a microsecond to an hour, more of them near 10 ms."""
    times = np.exp(np.random.default_rng(seed).normal(np.log(1e7), 3, count))
    return np.clip(times, LOWEST_NS, HIGHEST_NS).astype(np.int64)


@pytest.mark.parametrize("seed", range(3))
def test_quantiles_agree_with_those_of_the_rows(seed: int) -> None:
    times_ns = _times_ns(20_000, seed)
    histogram = Histogram()
    histogram.record(times_ns)
    for name, exact_ms in quantiles_ms(times_ns).items():
        assert histogram.quantile(QUANTILES[name]) == pytest.approx(exact_ms * NS_PER_MS, rel=1e-3)


def test_merging_is_exact() -> None:
    whole, merged = Histogram(), Histogram()
    times_ns = _times_ns(5000)
    whole.record(times_ns)
    for part in np.array_split(times_ns, 7):
        other = Histogram()
        other.record(part)
        merged.merge(other)
    assert merged.to_json() == whole.to_json()
    assert merged.count == 5000


def test_it_comes_back_from_json() -> None:
    histogram = Histogram()
    histogram.record(_times_ns(500))
    text = json.dumps(histogram.to_json())
    assert Histogram.from_json(json.loads(text)).to_json() == histogram.to_json()
    with pytest.raises(ValueError, match="laid out"):
        Histogram.from_json(histogram.to_json() | {"buckets_per_power_of_two": 512})
    for counts in ({"-1": 1}, {"99999999": 1}, {"5": -3}):
        with pytest.raises(ValueError, match="which cannot be"):
            Histogram.from_json(histogram.to_json() | {"counts": counts})


def test_what_lies_outside_counts_at_the_edge() -> None:
    histogram = Histogram()
    histogram.record([-5, 0, 2 * HIGHEST_NS])
    assert histogram.count == 3
    assert histogram.quantile(0) == pytest.approx(LOWEST_NS, rel=1e-3)
    assert histogram.quantile(1) == HIGHEST_NS


def test_nothing_recorded_has_no_quantile() -> None:
    histogram = Histogram()
    histogram.record([])
    assert histogram.quantile(0.5) is None
