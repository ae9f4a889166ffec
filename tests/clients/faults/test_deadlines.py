"""No call outlives its deadline, whatever the network does."""

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import grpc
import numpy as np
import pytest
from callers import Caller
from fault_proxy import Fault, FaultProxy
from fovea_client import DeadlineExceededError, FoveaError, Retry, ServerUnavailableError
from kserve import LightTriton, level
from stalls import Stalls

pytestmark = pytest.mark.timing
TIMEOUT_S = 0.2
LATE_S = 0.1
NUMBERS = np.arange(4, dtype=np.float32)
CALLS: dict[str, Callable[[Caller], object]] = {
    # The two that can be hedged.
    "segment": lambda caller: caller.segment(b"eye").probability[0, 0] == level(b"eye"),
    "infer": lambda caller: (caller.infer("identity", {"x": NUMBERS})["x"] == NUMBERS).all(),
    "models": lambda caller: len(caller.models()) == 2,
    "classes": lambda caller: len(caller.classes("vessels")) == 2,
    "ready": lambda caller: caller.ready() in (True, False),
    "wait_until_ready": lambda caller: caller.wait_until_ready(TIMEOUT_S) is None,
}


def _took_s(call: Callable[[Caller], object], caller: Caller) -> float:
    """How long the call takes to answer rightly or to fail as calls fail, without what the machine stood still."""
    with Stalls() as stalls:
        started_s = time.monotonic()
        try:
            assert call(caller), "a wrong answer"
        except FoveaError:
            pass
        took_s = time.monotonic() - started_s
    return took_s - stalls.seconds


@pytest.mark.parametrize(
    ("calls", "hedge_after_s"), [(list(CALLS), None), (["segment", "infer"], 0.05)], ids=["plain", "hedged"]
)
@pytest.mark.parametrize("connected", [True, False], ids=["connected", "connecting"])
@pytest.mark.parametrize("fault", Fault)
def test_no_call_outlives_its_deadline(
    connect, address: str, fault: Fault, connected: bool, calls: list[str], hedge_after_s: float | None
) -> None:
    for name in calls:
        with FaultProxy(address, Fault.NONE if connected else fault) as proxy:
            caller = connect(proxy.address, timeout_s=TIMEOUT_S, hedge_after_s=hedge_after_s)
            if connected:
                caller.wait_until_ready(5)
            proxy.fault = fault
            assert _took_s(CALLS[name], caller) < TIMEOUT_S + LATE_S, name
            caller.close()


def test_many_calls_into_a_black_hole_end_together(connect, address: str) -> None:
    with FaultProxy(address) as proxy:
        caller = connect(proxy.address, timeout_s=TIMEOUT_S)
        caller.classes("vessels")
        proxy.fault = Fault.BLACK_HOLE
        with ThreadPoolExecutor(32) as pool:
            took_s = list(pool.map(lambda _: _took_s(CALLS["segment"], caller), range(32)))
        assert max(took_s) < TIMEOUT_S + LATE_S


def test_a_call_does_not_wait_for_a_retry_beyond_its_deadline(connect, address: str, light: LightTriton) -> None:
    light.failure = grpc.StatusCode.UNAVAILABLE
    caller = connect(address, timeout_s=2.0, retry=Retry(initial_s=5.0, maximum_s=5.0, jitter=0.0))
    caller.classes("vessels")
    with pytest.raises(ServerUnavailableError, match="planted"):
        caller.segment(b"eye")
    assert light.attempts["ModelInfer"] == 1
    caller = connect(address, timeout_s=TIMEOUT_S, retry=Retry(attempts=1000, initial_s=0.02, maximum_s=0.02))
    assert _took_s(CALLS["segment"], caller) < TIMEOUT_S + LATE_S
    assert light.attempts["ModelInfer"] > 5


def test_all_of_a_calls_requests_share_its_deadline(connect, address: str, light: LightTriton) -> None:
    """The first segment asks for the model's description as well."""
    caller = connect(address, timeout_s=5.0)
    with FaultProxy(address, Fault.TRICKLE) as slow:
        assert _took_s(CALLS["segment"], connect(slow.address, timeout_s=TIMEOUT_S)) < TIMEOUT_S + LATE_S
    caller.segment(b"eye", timeout_s=1.5)
    assert light.remaining_s is not None
    assert 0.5 < light.remaining_s <= 1.5, "the server knows the deadline"


def test_a_slow_server_is_given_up_on_both_sides(connect, address: str, light: LightTriton) -> None:
    caller = connect(address, timeout_s=TIMEOUT_S)
    caller.classes("vessels")
    light.delay_s = 5.0
    assert _took_s(_exceeds, caller) < TIMEOUT_S + LATE_S
    assert light.attempts["ModelInfer"] == 1, "what took too long once is not asked again"


def _exceeds(caller: Caller) -> bool:
    with pytest.raises(DeadlineExceededError):
        caller.segment(b"eye")
    return True
