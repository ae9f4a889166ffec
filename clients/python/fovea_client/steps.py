"""What an operation asks to be done while it runs, and how that is done without asyncio.

An operation is a generator: it yields a step, is sent what came of it (or is thrown what went wrong), and returns its
result. It holds all decisions and no waiting, so it serves threads and asyncio alike; `run` here and `run_async` in
`async_client` do the waiting.
"""

import threading
import time
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from fovea_client.errors import InvalidRequestError
from fovea_client.requests import Headers, Pending, Request, Transport

T = TypeVar("T")


@dataclass(slots=True)
class Send:
    """Send the request; gives its answer."""

    request: Request
    timeout_s: float
    headers: Headers = ()


@dataclass(slots=True)
class Start:
    """Begin to send the request; gives a `Pending`."""

    request: Request
    timeout_s: float
    headers: Headers = ()


@dataclass(slots=True)
class AwaitAny:
    """Wait until one of them is done or the time is over; gives nothing."""

    pending: Sequence[Pending]
    timeout_s: float


@dataclass(slots=True)
class Pause:
    """Wait; gives nothing. `retry_of` is the error that is waited for to pass, if that is why."""

    seconds: float
    retry_of: Exception | None = None


@dataclass(slots=True)
class Work:
    """Do what takes a while on this machine, such as reading a file; gives what it returns.

    asyncio waits no longer than `timeout_s` and gives a TimeoutError then; a thread cannot leave its own work.
    """

    function: Callable[[], Any]
    timeout_s: float


Step = Send | Start | AwaitAny | Pause | Work
Steps = Generator[Step, Any, T]


class Driver:
    """Does steps one after another on the calling thread; threads may share one."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport
        self._closed = threading.Event()
        self._done = threading.Condition()

    def run(self, steps: Steps[T]) -> T:
        """Do every step; returns what the operation returns and raises what it raises."""
        send = self._transport.send
        try:
            step = next(steps)
            while True:
                try:
                    if type(step) is Send:
                        outcome = send(step.request, timeout_s=step.timeout_s, headers=step.headers)
                    else:
                        outcome = self._do(step)
                except BaseException as error:  # noqa: BLE001 - the operation decides, Ctrl-C included
                    step = steps.throw(error)
                else:
                    step = steps.send(outcome)
        except StopIteration as end:
            result: T = end.value
            return result

    def close(self) -> None:
        """End pauses and close the transport."""
        self._closed.set()
        self._transport.close()

    def _do(self, step: Step) -> Any:
        match step:
            case Pause(seconds):
                self._closed.wait(seconds)
            case Work(function):
                return function()
            case Start():
                return self._start(step)
            case AwaitAny(pending, timeout_s):
                self._await_any(pending, timeout_s)
        return None

    def _start(self, step: Start) -> Pending:
        start = getattr(self._transport, "start", None)
        if start is None:
            raise InvalidRequestError("this transport has no start(): leave hedge_after_s out")
        started: Pending = start(step.request, timeout_s=step.timeout_s, headers=step.headers, on_done=self._notify)
        return started

    def _notify(self) -> None:
        with self._done:
            self._done.notify_all()

    def _await_any(self, pending: Sequence[Pending], timeout_s: float) -> None:
        end_s = time.monotonic() + timeout_s
        with self._done:
            while not any(each.done() for each in pending) and (left_s := end_s - time.monotonic()) > 0:
                self._done.wait(left_s)
