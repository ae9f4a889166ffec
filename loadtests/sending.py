"""One generator's share of a load, in a thread of its own.

Locust lives in gevent, which answers in whole turns of its hub; asyncio's loop with gRPC's own completion queue costs
a third less CPU for a request and is punctual. So Locust starts, stops and coordinates, and this thread sends.
"""

import asyncio
import gc
import selectors
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from threading import Event

import numpy as np
from numpy.typing import NDArray

from loadtests.arrivals import NS_PER_S
from loadtests.asking import Asker
from loadtests.endpoint import Endpoint
from loadtests.images import image_set
from loadtests.load import Load
from loadtests.loops import ClosedLoop, Loop, OpenLoop
from loadtests.recorder import RowBuffer

DRAIN_MARGIN_S = 1.0
# A closed loop has no end that is known: its images repeat after so many requests.
CLOSED_LOOP_IMAGES = 100_000
_POLL_S = 0.005
# A thread that computes hands over after this time; the default is as long as the lag that is allowed.
_SWITCH_INTERVAL_S = 0.0005


@dataclass(frozen=True)
class Share:
    """Which part of the load: each `of`-th request from number `first` on, from `start_s` (Unix time) on."""

    first: int
    of: int
    start_s: float


class Sending:
    """Call `run` on the thread that is to send, everything else from anywhere.

    `rows` gets every request. `cpu_ratio` is known after `run`, see `drive.Drive`.
    """

    def __init__(self, endpoint: Endpoint, load: Load, out: Path, rows: RowBuffer) -> None:
        self._endpoint, self._load, self._out, self._rows = endpoint, load, out, rows
        self._share: Share | None = None
        self._stop = Event()
        self.ready = Event()
        self.cpu_ratio: float | None = None

    def begin(self, share: Share) -> None:
        """Say which share to send; until then `run` only prepares."""
        self._share = share

    def stop(self) -> None:
        """End soon, with what is under way recorded as unanswered."""
        self._stop.set()

    def run(self) -> None:
        """Prepare, wait for `begin`, send the share and return. Raises LoadTestError, FoveaError."""
        sys.setswitchinterval(_SWITCH_INTERVAL_S)
        with asyncio.Runner(loop_factory=_precise_loop) as runner:
            runner.run(self._run())

    async def _run(self) -> None:
        load = self._load
        due_ns = load.due_ns()
        images = image_set(load.images)
        carried = load.carried(images, due_ns.size or CLOSED_LOOP_IMAGES)
        asker = Asker(self._endpoint, images.paths, carried, self._out)
        try:
            await asker.open()
            # What lives until the end need not be looked through by every collection.
            gc.collect()
            gc.freeze()
            self.ready.set()
            if (share := await self._order()) is not None:
                await self._send(self._loop(due_ns, asker, share), share)
        finally:
            await asker.close()

    async def _order(self) -> Share | None:
        while self._share is None and not self._stop.is_set():
            await asyncio.sleep(_POLL_S)
        return self._share

    def _loop(self, due_ns: NDArray[np.int64], asker: Asker, share: Share) -> Loop:
        def record(index: int, times_ns: tuple[int, int, int], error: str | None) -> None:
            self._rows.append(index, times_ns, asker.image(index), error)

        if not self._load.users:
            return OpenLoop(due_ns, asker.ask, asker.judge, record, first=share.first, step=share.of)
        users = len(range(share.first, self._load.users, share.of))
        span_ns = int(self._load.span_s * NS_PER_S)
        return ClosedLoop(users, span_ns, asker.ask, asker.judge, record, first=share.first, step=share.of)

    async def _send(self, loop: Loop, share: Share) -> None:
        start_ns = time.perf_counter_ns() + round((share.start_s - time.time()) * NS_PER_S)
        began_s, cpu_began_s = time.monotonic(), time.process_time()
        await loop.run(self._stop, patience_s=self._endpoint.timeout_s + DRAIN_MARGIN_S, start_ns=start_ns)
        self.cpu_ratio = (time.process_time() - cpu_began_s) / (time.monotonic() - began_s)


def _precise_loop() -> asyncio.AbstractEventLoop:
    # epoll waits whole milliseconds, select microseconds.
    return asyncio.SelectorEventLoop(selectors.SelectSelector())
