"""What proves who calls is sent, and shows nowhere else."""

import logging
import traceback

import grpc
import pytest
from fault_proxy import Fault, FaultProxy
from fovea_client import Credentials, FoveaError
from kserve import LightTriton

TOKEN, KEY = "tok-3f9c1b7e", "restricted-5a20d4"


def _credentials() -> Credentials:
    return Credentials(token=TOKEN, restricted={"inference": KEY})


def test_the_server_gets_them(connect, address: str, light: LightTriton) -> None:
    connect(address, credentials=_credentials()).segment(b"eye")
    assert light.headers["authorization"] == f"Bearer {TOKEN}"
    assert light.headers["triton-grpc-protocol-inference"] == KEY


@pytest.mark.parametrize("fault", Fault)
def test_nobody_else_does(connect, address: str, light: LightTriton, fault: Fault, caplog, capfd) -> None:
    caplog.set_level(logging.DEBUG)
    light.failure = grpc.StatusCode.UNAUTHENTICATED if fault is Fault.NONE else None
    with FaultProxy(address) as proxy:
        credentials = _credentials()
        caller = connect(proxy.address, credentials=credentials)
        caller.classes("vessels")
        proxy.fault = fault
        with pytest.raises(FoveaError) as caught:
            caller.segment(b"eye", timeout_s=0.3)
        logging.getLogger("service").info("%r %r", caller, credentials)
        caller.close()
    said = capfd.readouterr()
    told = "".join(traceback.format_exception(caught.value))
    known = [told, caplog.text, said.out, said.err, str(vars(caught.value)), f"{credentials} {credentials!r}"]
    assert len(told) > 100
    for text in known:
        assert TOKEN not in text
        assert KEY not in text
