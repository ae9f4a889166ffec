"""Clients that come and go a thousand times leave no channel, no thread and no file descriptor behind."""

import json
import subprocess
import sys
from pathlib import Path

import open_close
import pytest
from fault_proxy import Fault, FaultProxy
from kserve import LightTriton, serve

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("kind", ["Client", "AsyncClient"])
@pytest.mark.parametrize(
    ("fault", "cycles", "timeout_s"),
    [
        (Fault.NONE, 1000, 10.0),
        (Fault.RESET, 50, 0.05),
        (Fault.GOAWAY, 50, 0.05),
        (Fault.WRONG_BYTES, 50, 0.05),
        (Fault.BLACK_HOLE, 50, 0.05),
    ],
)
def test_nothing_is_left_of_clients_that_were_closed(kind: str, fault: Fault, cycles: int, timeout_s: float) -> None:
    with serve(LightTriton()) as address, FaultProxy(address, fault) as proxy:
        words = [sys.executable, str(Path(open_close.__file__)), kind, proxy.address, str(cycles), str(timeout_s)]
        done = subprocess.run(words, check=False, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    before, after, failures = map(json.loads, done.stdout.splitlines())
    assert all(after[key] <= before[key] for key in before), (before, after)
    assert after["channels"] == 0
    assert failures == (0 if fault is Fault.NONE else cycles)
