"""A server in trouble is not finished off by its clients: retries and hedges stay within their budget."""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import grpc
import pytest
from callers import Caller
from fault_proxy import Fault, FaultProxy
from fovea_client import FoveaError, Retry
from kserve import LightTriton

CALLS = 400
AT_ONCE = 20
QUICK = {"initial_s": 0.001, "maximum_s": 0.002}


def _segment_often(caller: Caller, calls: int = CALLS) -> int:
    """How many of the calls failed."""

    def fails(_: int) -> bool:
        try:
            caller.segment(b"eye")
        except FoveaError:
            return True
        return False

    with ThreadPoolExecutor(AT_ONCE) as pool:
        return sum(pool.map(fails, range(calls)))


@pytest.mark.parametrize("status", [grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.RESOURCE_EXHAUSTED])
def test_a_server_that_only_fails_gets_the_burst_and_no_more(connect, address: str, light: LightTriton, status) -> None:
    caller = connect(address, retry=Retry(attempts=10, burst=25, budget=0.5, **QUICK))
    caller.classes("vessels")
    light.failure = status
    assert _segment_often(caller) == CALLS
    assert light.attempts["ModelInfer"] == CALLS + 25


@pytest.mark.parametrize("budget", [0.0, 0.1, 0.5])
def test_a_server_that_fails_half_the_time_gets_what_its_answers_earn(
    connect, address: str, light: LightTriton, budget: float
) -> None:
    caller = connect(address, retry=Retry(attempts=10, burst=25, budget=budget, **QUICK))
    caller.classes("vessels")
    light.failure, light.fail_every = grpc.StatusCode.UNAVAILABLE, 2
    failed = _segment_often(caller)
    retries = light.attempts["ModelInfer"] - CALLS
    answered = CALLS - failed
    assert retries <= 25 + budget * (answered + 1), "the description of the task was one answer more"
    assert retries >= 25, "the budget is used"
    assert failed > 0


def test_the_default_budget_bounds_an_outage(connect, address: str, light: LightTriton) -> None:
    caller = connect(address)
    caller.classes("vessels")
    light.failure = grpc.StatusCode.UNAVAILABLE
    _segment_often(caller)
    assert CALLS < light.attempts["ModelInfer"] <= CALLS * 1.5


@pytest.mark.parametrize(
    "status", [code for code in grpc.StatusCode if code.name in ("INTERNAL", "INVALID_ARGUMENT", "UNKNOWN", "ABORTED")]
)
def test_what_retrying_cannot_mend_is_sent_once(connect, address: str, light: LightTriton, status) -> None:
    caller = connect(address)
    caller.classes("vessels")
    light.failure = status
    assert _segment_often(caller, calls=20) == 20
    assert light.attempts["ModelInfer"] == 20


@pytest.mark.timing
def test_hedging_a_slow_server_adds_no_more_than_its_budget(connect, address: str, light: LightTriton) -> None:
    caller = connect(address, hedge_after_s=0.005, retry=Retry(burst=10, budget=0.1))
    caller.classes("vessels")
    light.delay_s = 0.05
    calls = 300
    assert _segment_often(caller, calls) == 0
    hedges = light.attempts["ModelInfer"] - calls
    assert 10 <= hedges <= 10 + 0.1 * (calls + 1)


def test_hedging_a_quick_server_adds_nothing(connect, address: str, light: LightTriton) -> None:
    caller = connect(address, hedge_after_s=2.0)
    assert _segment_often(caller, calls=200) == 0
    assert light.attempts["ModelInfer"] == 200


@pytest.fixture
def resetting(address: str) -> Iterator[FaultProxy]:
    with FaultProxy(address) as proxy:
        yield proxy


@pytest.mark.timing
def test_connections_that_break_are_not_made_anew_without_pause(connect, resetting: FaultProxy) -> None:
    caller = connect(resetting.address, retry=Retry(attempts=3, burst=1000, **QUICK))
    caller.classes("vessels")
    resetting.fault = Fault.RESET
    started_s = time.monotonic()
    while time.monotonic() - started_s < 1.5:
        _segment_often(caller, calls=20)
    # gRPC pauses 0.1 s, then 1.6 times as long each time, a fifth more or less.
    assert 3 <= resetting.connections <= 12
