"""Sends requests in an open loop or a closed one, and takes each one's times.

A closed loop waits for an answer before it asks again, so a stalled server is asked less and its stall is hardly
seen (coordinated omission). In an open loop one dispatcher walks the schedule and every request has a task of its own,
whatever has become of the earlier ones; latency counts from the time the request was due. What is asked, and of whom,
is the caller's part.
"""

import asyncio
import time
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Iterator
from itertools import count
from threading import Event
from typing import Any

import numpy as np
from numpy.typing import NDArray

from loadtests.arrivals import NS_PER_S

UNANSWERED = "no answer had come when the run ended"
INTERRUPTED_PATIENCE_S = 0.5
DRAIN_POLL_S = 0.02
# How soon a stop is noticed while nothing is due.
_LONGEST_SLEEP_S = 0.1
# So many requests that are due already are sent in one go before answers are read again.
_BURST = 8
# So many times of a schedule are Python numbers at once.
_CHUNK = 10_000

# Sends request number `index`, waits and returns whatever came back.
Ask = Callable[[int], Awaitable[Any]]
# Given the index and what came back, None for a right answer or a sentence about what was wrong.
Judge = Callable[[int, Any], str | None]
# Takes the index of a finished request, its times (due, sent, finished) and that sentence.
Record = Callable[[int, tuple[int, int, int], str | None], None]


class Loop(ABC):
    """One load. Times are in nanoseconds of `clock_ns`, relative to the `start_ns` of `run`."""

    def __init__(
        self, ask: Ask, judge: Judge, record: Record, clock_ns: Callable[[], int] = time.perf_counter_ns
    ) -> None:
        self._ask = ask
        self._judge = judge
        self._record = record
        self._clock_ns = clock_ns
        self._start_ns = 0
        # When each request that is under way was due and was sent.
        self._under_way: dict[int, tuple[int, int]] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    async def run(self, stop: Event, *, patience_s: float, start_ns: int | None = None) -> None:
        """Send until the end of the load or until `stop` is set, then record what never came back as failed.

        Answers still out at the end are waited for, at most `patience_s`, or INTERRUPTED_PATIENCE_S after a stop.
        """
        self._start_ns = self._clock_ns() if start_ns is None else start_ns
        await self._send_all(stop)
        await self._drain(stop, patience_s)
        for index, (due_ns, sent_ns) in self._under_way.items():
            self._record(index, (due_ns, sent_ns, self._now_ns()), UNANSWERED)
        self._under_way.clear()
        for task in self._tasks:
            task.cancel()

    @abstractmethod
    async def _send_all(self, stop: Event) -> None:
        """Begin every request of the load; return when none is left to begin."""

    def _now_ns(self) -> int:
        return self._clock_ns() - self._start_ns

    async def _sleep_until(self, end_ns: int, stop: Event) -> None:
        # A timer may fire early, hence the loop.
        while (delay_ns := end_ns - self._now_ns()) > 0 and not stop.is_set():
            await asyncio.sleep(min(delay_ns / NS_PER_S, _LONGEST_SLEEP_S))

    def _begin(self, work: Awaitable[None]) -> None:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _send(self, index: int, due_ns: int) -> None:
        # Here, in the request's own task: the wait for its turn is the generator's lag too.
        sent_ns = self._now_ns()
        self._under_way[index] = due_ns, sent_ns
        answer = await self._ask(index)
        # Before the answer is looked at: that is this machine's time, not the server's.
        finished_ns = self._now_ns()
        # An answer after the end finds its request already recorded as unanswered.
        if self._under_way.pop(index, None) is not None:
            self._record(index, (due_ns, sent_ns, finished_ns), self._judge(index, answer))

    async def _drain(self, stop: Event, patience_s: float) -> None:
        since_ns = self._now_ns()
        while self._tasks:
            limit_s = min(patience_s, INTERRUPTED_PATIENCE_S) if stop.is_set() else patience_s
            if self._now_ns() - since_ns > limit_s * NS_PER_S:
                return
            await asyncio.sleep(DRAIN_POLL_S)


class OpenLoop(Loop):
    """One walk through a schedule, or through each `step`-th of its times from the one at `first` on.

    `due_ns`: int64 [N], ascending. Requests keep their place in the whole schedule as their index.
    """

    def __init__(
        self,
        due_ns: NDArray[np.int64],
        ask: Ask,
        judge: Judge,
        record: Record,
        clock_ns: Callable[[], int] = time.perf_counter_ns,
        *,
        first: int = 0,
        step: int = 1,
    ) -> None:
        super().__init__(ask, judge, record, clock_ns)
        self._due_ns = due_ns
        self._first, self._step = first, step

    async def _send_all(self, stop: Event) -> None:
        for index, due_ns in self._share():
            await self._wait_until(due_ns, stop, index)
            if stop.is_set():
                return
            self._begin(self._send(index, due_ns))

    def _share(self) -> Iterator[tuple[int, int]]:
        own_ns = self._due_ns[self._first :: self._step]
        for begin in range(0, len(own_ns), _CHUNK):
            for place, due_ns in enumerate(own_ns[begin : begin + _CHUNK].tolist(), begin):
                yield self._first + place * self._step, due_ns

    async def _wait_until(self, due_ns: int, stop: Event, index: int) -> None:
        if due_ns <= self._now_ns():
            if index // self._step % _BURST == 0:
                await asyncio.sleep(0)
            return
        await self._sleep_until(due_ns, stop)


class ClosedLoop(Loop):
    """So many users, each of whom asks again as soon as it is answered, for `span_ns`; indices count from `first`."""

    def __init__(
        self,
        users: int,
        span_ns: int,
        ask: Ask,
        judge: Judge,
        record: Record,
        clock_ns: Callable[[], int] = time.perf_counter_ns,
        *,
        first: int = 0,
        step: int = 1,
    ) -> None:
        super().__init__(ask, judge, record, clock_ns)
        self._users, self._span_ns = users, span_ns
        self._indices = count(first, step)

    async def _send_all(self, stop: Event) -> None:
        await self._sleep_until(0, stop)
        for _ in range(self._users):
            self._begin(self._use(stop))
        await self._sleep_until(self._span_ns, stop)

    async def _use(self, stop: Event) -> None:
        while (now_ns := self._now_ns()) < self._span_ns and not stop.is_set():
            await self._send(next(self._indices), now_ns)
