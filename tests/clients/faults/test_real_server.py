"""The same before the real Triton: it is reached through one way while the other is in trouble, and never too late."""

import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from doors import Launched, Stages
from fault_proxy import Fault, FaultProxy
from fovea_client import Client, FoveaError
from stalls import Stalls

pytestmark = pytest.mark.slow
FAULTS = [fault for fault in Fault if fault is not Fault.NONE]
SILENT = (Fault.BLACK_HOLE, Fault.TRICKLE)


@pytest.fixture(scope="module")
def picture(stages: Stages) -> Path:
    return min((stages.model / "held_out" / "images").iterdir())


@pytest.fixture
def proxy(served_default: Launched) -> Iterator[FaultProxy]:
    with FaultProxy(served_default.grpc) as proxy:
        yield proxy


@pytest.mark.parametrize("fault", FAULTS)
def test_the_same_mask_comes_through_the_way_that_is_left(
    connect, served_default: Launched, proxy: FaultProxy, picture: Path, fault: Fault
) -> None:
    with Client(served_default.grpc, timeout_s=30) as straight:
        started_s = time.monotonic()
        expected = straight.segment(picture).mask
        usual_s = time.monotonic() - started_s
    with FaultProxy(served_default.grpc) as other:
        hedge_after_s = 2 * usual_s if fault in SILENT else None
        caller = connect(f"{proxy.address},{other.address}", timeout_s=30.0, hedge_after_s=hedge_after_s)
        caller.wait_until_ready(10)
        proxy.fault = fault
        for _ in range(6):
            np.testing.assert_array_equal(caller.segment(picture).mask, expected)


@pytest.mark.parametrize("fault", FAULTS)
def test_no_call_outlives_its_deadline(connect, proxy: FaultProxy, picture: Path, fault: Fault) -> None:
    caller = connect(proxy.address, timeout_s=10.0)
    caller.classes("vessels")
    proxy.fault = fault
    with Stalls() as stalls:
        started_s = time.monotonic()
        with pytest.raises(FoveaError):
            caller.segment(picture, timeout_s=0.5)
        took_s = time.monotonic() - started_s
    assert took_s - stalls.seconds < 0.5 + 0.1
