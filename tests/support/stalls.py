"""How long this process stood still because the machine ran others: no client can be in time then."""

import threading
import time
from types import TracebackType
from typing import Self

_TICK_S = 0.005


class Stalls:
    """A context manager; `seconds` is by how much a thread that only sleeps woke up late, all in all."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._tick, name="stalls", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._ended.set()
        self._thread.join()

    def _tick(self) -> None:
        last_s = time.monotonic()
        while not self._ended.wait(_TICK_S):
            now_s = time.monotonic()
            # A few milliseconds are every timer's; they are not held against the machine.
            self.seconds += max(0.0, now_s - last_s - 4 * _TICK_S)
            last_s = now_s
