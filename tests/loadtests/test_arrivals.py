import numpy as np
import pytest

from loadtests.arrivals import NS_PER_S, Spacing, arrival_times_ns
from loadtests.arrivals.times import MAX_ARRIVALS
from loadtests.errors import InvalidScheduleError


def test_poisson_arrivals_come_at_the_rate_and_spread_like_a_poisson_process() -> None:
    times_ns = arrival_times_ns(rate_rps=50, span_s=200, arrivals="poisson", seed=1)
    gaps_s = np.diff(times_ns) / NS_PER_S
    assert len(times_ns) == pytest.approx(10_000, rel=0.03)
    # The gaps of a Poisson process are exponential: their standard deviation is their mean.
    assert gaps_s.std() == pytest.approx(gaps_s.mean(), rel=0.05)


@pytest.mark.parametrize(("rate_rps", "span_s", "count"), [(2, 23, 46), (0.1, 30, 3), (3, 1.1, 4), (0.01, 5, 1)])
def test_constant_arrivals_are_evenly_spaced_from_zero(rate_rps: float, span_s: float, count: int) -> None:
    times_ns = arrival_times_ns(rate_rps=rate_rps, span_s=span_s, arrivals="constant", seed=0)
    np.testing.assert_allclose(times_ns, np.arange(count) / rate_rps * NS_PER_S, atol=1)


@pytest.mark.parametrize("arrivals", ["poisson", "constant"])
def test_arrivals_ascend_within_the_span(arrivals: Spacing) -> None:
    times_ns = arrival_times_ns(rate_rps=40, span_s=10, arrivals=arrivals, seed=3)
    assert times_ns.dtype == np.int64
    assert (np.diff(times_ns) >= 0).all()
    assert times_ns[0] >= 0
    assert times_ns[-1] < 10 * NS_PER_S


def test_a_seed_fixes_the_arrivals() -> None:
    first, again, other = (
        arrival_times_ns(rate_rps=5, span_s=10, arrivals="poisson", seed=seed).tolist() for seed in (7, 7, 8)
    )
    assert first == again
    assert first != other


def test_too_many_arrivals_are_refused() -> None:
    with pytest.raises(InvalidScheduleError, match=r"20000001 requests.*lower --rate"):
        arrival_times_ns(rate_rps=1, span_s=MAX_ARRIVALS + 1, arrivals="poisson", seed=0)
