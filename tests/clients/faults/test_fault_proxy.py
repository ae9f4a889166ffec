"""The harm is the harm that it says: without this, a test under a fault that does nothing would pass."""

import re
from collections.abc import Iterator

import grpc
import pytest
from fault_proxy import Fault, FaultProxy
from kserve import LightTriton, serve
from tritonclient.grpc import service_pb2 as messages
from tritonclient.grpc import service_pb2_grpc as services

SEEN = {
    Fault.NONE: "OK",
    Fault.RESET: "UNAVAILABLE.*Connection reset by peer",
    Fault.BLACK_HOLE: "DEADLINE_EXCEEDED",
    Fault.TRICKLE: "DEADLINE_EXCEEDED",
    Fault.HALF_CLOSE: "UNAVAILABLE.*Socket closed",
    Fault.WRONG_BYTES: "Failed parsing HTTP/2",
    Fault.GOAWAY: "UNAVAILABLE.*GOAWAY received; Error code: 0",
}


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    with serve(LightTriton()) as address:
        yield address


@pytest.mark.parametrize("fault", Fault)
@pytest.mark.parametrize("connected", [True, False], ids=["connected", "connecting"])
def test_a_plain_stub_sees_the_fault(address: str, fault: Fault, connected: bool) -> None:
    alone = [("grpc.use_local_subchannel_pool", 1)]
    before = Fault.NONE if connected else fault
    with FaultProxy(address, before) as proxy, grpc.insecure_channel(proxy.address, options=alone) as channel:
        if connected:
            assert _call(channel) == "OK"
        proxy.fault = fault
        assert re.search(SEEN[fault], _call(channel))
        proxy.fault = Fault.NONE
        # A call may still meet the connection that the fault has ended.
        assert "OK" in (_call(channel, wait=True) for _ in range(3)), "the fault ends when it is told to"


def _call(channel: grpc.Channel, *, wait: bool = False) -> str:
    stub = services.GRPCInferenceServiceStub(channel)
    try:
        stub.ServerLive(messages.ServerLiveRequest(), timeout=5 if wait else 0.5, wait_for_ready=wait)
    except grpc.RpcError as error:
        return f"{error.code().name}: {error.details()}"
    return "OK"
