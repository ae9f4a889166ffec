"""Sends requests when they are due, whatever has become of the earlier ones (an open loop).

A closed loop waits for an answer before it asks again, so a stalled server is asked less and its stall is hardly
seen (coordinated omission). Here one dispatcher walks the schedule and every request has a greenlet of its own;
latency counts from the time the request was due. What is asked, and of whom, is the caller's part.
"""

import time
from collections.abc import Callable, Sequence

import gevent
from gevent.event import Event

from loadtests.arrivals import NS_PER_S

UNANSWERED = "no answer had come when the run ended"
INTERRUPTED_PATIENCE_S = 0.5
DRAIN_POLL_S = 0.02


class OpenLoop:
    """One walk through a schedule.

    `ask(index)` sends request number `index`, waits and returns None for a right answer or a sentence about what was
    wrong; `record` takes the index of each finished request, its times (due, sent,
    finished) and that sentence. Times are in nanoseconds of `clock_ns`, relative to the start of `run`.
    """

    def __init__(
        self,
        due_ns: Sequence[int],
        ask: Callable[[int], str | None],
        record: Callable[[int, tuple[int, int, int], str | None], None],
        clock_ns: Callable[[], int] = time.perf_counter_ns,
    ) -> None:
        self._due_ns = due_ns
        self._ask = ask
        self._record = record
        self._clock_ns = clock_ns
        self._start_ns = 0
        self._sent_ns: dict[int, int] = {}

    def run(self, stop: Event, *, patience_s: float) -> None:
        """Walk the schedule until its end or until `stop` is set, then record what never came back as failed.

        Answers still out at the end are waited for, at most `patience_s`, or INTERRUPTED_PATIENCE_S after a stop.
        """
        self._start_ns = self._clock_ns()
        for index, due_ns in enumerate(self._due_ns):
            self._wait_until(due_ns, stop)
            if stop.is_set():
                break
            self._sent_ns[index] = self._now_ns()
            gevent.spawn(self._send, index)
        self._drain(stop, patience_s)
        for index in list(self._sent_ns):
            self._finish(index, UNANSWERED)

    def _now_ns(self) -> int:
        return self._clock_ns() - self._start_ns

    def _wait_until(self, due_ns: int, stop: Event) -> None:
        # The event loop's timers count from its last turn and may fire early, hence the loop.
        while (delay_ns := due_ns - self._now_ns()) > 0 and not stop.is_set():
            stop.wait(delay_ns / NS_PER_S)

    def _send(self, index: int) -> None:
        # Its turn came after the end of the run: it is recorded as unanswered already.
        if index not in self._sent_ns:
            return
        # Again, in its own greenlet: the wait for its turn is the generator's lag too.
        self._sent_ns[index] = self._now_ns()
        self._finish(index, self._ask(index))

    def _finish(self, index: int, error: str | None) -> None:
        sent_ns = self._sent_ns.pop(index, None)
        # An answer after the end finds its request already recorded as unanswered.
        if sent_ns is not None:
            self._record(index, (self._due_ns[index], sent_ns, self._now_ns()), error)

    def _drain(self, stop: Event, patience_s: float) -> None:
        since_ns = self._now_ns()
        while self._sent_ns:
            limit_s = min(patience_s, INTERRUPTED_PATIENCE_S) if stop.is_set() else patience_s
            if self._now_ns() - since_ns > limit_s * NS_PER_S:
                return
            gevent.sleep(DRAIN_POLL_S)
