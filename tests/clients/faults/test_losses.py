"""While one of three servers is in trouble and another lives, no idempotent call is lost."""

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from threading import Event

import kserve
import pytest
from callers import Caller
from fault_proxy import Behind, Fault
from kserve import level

CALLERS = 8
# A connection that is silent tells nobody that it is: only asking a second server in time helps.
SILENT = [Fault.BLACK_HOLE, Fault.TRICKLE]
HEDGE_AFTER_S = dict.fromkeys(SILENT, 0.05)
TIMED = [pytest.param(fault, marks=pytest.mark.timing) for fault in SILENT]


class Load:
    """Threads that segment picture after picture; `done` counts them."""

    def __init__(self, caller: Caller) -> None:
        self.done = 0
        self._caller = caller
        self._enough = Event()

    def work(self, worker: int) -> None:
        """Ask until stopped; raises what the first lost call raises."""
        for number in iter(self._enough.is_set, True):
            image = f"{worker} {self.done} {number}".encode()
            assert (self._caller.segment(image).probability == level(image)).all()
            self.done += 1

    def stop(self) -> None:
        self._enough.set()


@contextmanager
def under_load(caller: Caller) -> Iterator[Callable[[int], None]]:
    """Yields `wait_for(calls)`: return after so many more calls; at the end no call of any thread has failed."""
    load = Load(caller)
    with ThreadPoolExecutor(CALLERS) as pool:
        workers = [pool.submit(load.work, worker) for worker in range(CALLERS)]
        try:
            yield lambda calls: _wait_for(load, calls, workers)
        finally:
            load.stop()
    for worker in workers:
        worker.result()


def _wait_for(load: Load, calls: int, workers: list[Future[None]]) -> None:
    wanted, deadline_s = load.done + calls, time.monotonic() + 20
    while load.done < wanted:
        assert time.monotonic() < deadline_s, "the load stands still"
        for worker in workers:
            if worker.done():
                worker.result()
        time.sleep(0.005)


@pytest.mark.parametrize("fault", [fault for fault in Fault if fault not in (Fault.NONE, *SILENT)] + TIMED)
def test_no_call_is_lost_while_the_others_live(connect, three: list[Behind], fault: Fault) -> None:
    url = ",".join(behind.proxy.address for behind in three)
    caller = connect(url, timeout_s=5.0, hedge_after_s=HEDGE_AFTER_S.get(fault))
    caller.wait_until_ready(5)
    with under_load(caller) as wait_for:
        wait_for(50)
        for behind in three:
            behind.proxy.fault = fault
            wait_for(100)
            behind.proxy.fault = Fault.NONE
            wait_for(50)
    assert all(behind.light.attempts["ModelInfer"] > 30 for behind in three), "every server had its part"


@pytest.mark.parametrize("fault", TIMED)
def test_a_first_call_is_not_lost_to_a_silent_server(connect, three: list[Behind], fault: Fault) -> None:
    """It asks what the task is before it asks for a mask; either question may go to the silent one."""
    for _ in three:
        caller = connect(",".join(behind.proxy.address for behind in three), timeout_s=5.0, hedge_after_s=0.05)
        caller.wait_until_ready(5)
        three[0].proxy.fault = fault
        for _ in three:
            assert (caller.segment(b"eye").probability == level(b"eye")).all()
        three[0].proxy.fault = Fault.NONE
        caller.close()


class Killable:
    """A server in a process of its own, always on the same port."""

    def __init__(self) -> None:
        self.address = self._start(0)

    def _start(self, port: int) -> str:
        script = Path(kserve.__file__)
        words = [sys.executable, str(script), "--port", str(port)]
        self._process = subprocess.Popen(words, stdout=subprocess.PIPE, text=True)
        assert self._process.stdout is not None
        return self._process.stdout.readline().strip()

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()

    def restart(self) -> None:
        assert self._start(int(self.address.rpartition(":")[2])) == self.address


@pytest.fixture
def killables() -> Iterator[list[Killable]]:
    servers = [Killable() for _ in range(3)]
    try:
        yield servers
    finally:
        for server in servers:
            server.kill()


@pytest.mark.slow
def test_no_call_is_lost_while_servers_are_killed_and_restarted(connect, killables: list[Killable]) -> None:
    caller = connect(",".join(server.address for server in killables), timeout_s=5.0)
    caller.wait_until_ready(10)
    with under_load(caller) as wait_for:
        wait_for(100)
        killables[0].kill()
        wait_for(200)
        killables[0].restart()
        # gRPC tries a lost address again at least once a second.
        time.sleep(1.5)
        # Only the one that was restarted is left: that it answers shows that it was found again.
        killables[1].kill()
        wait_for(100)
        killables[2].kill()
        wait_for(200)
