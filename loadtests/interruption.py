"""Signals that ask the process to end, noted instead of died of."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

# A closed terminal too: the generator has a session of its own and would go on without its parent.
END_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Interruption:
    """Whether a signal that asks the process to end has come since `listen` was entered; `signal_name` is "" or its."""

    def __init__(self) -> None:
        self.signal_name = ""

    @contextmanager
    def listen(self) -> Iterator[None]:
        """Note the signals instead of dying of them, inside the block."""
        former = {number: signal.signal(number, self._note) for number in END_SIGNALS}
        try:
            yield
        finally:
            for number, handler in former.items():
                signal.signal(number, handler)

    def _note(self, number: int, _: FrameType | None) -> None:
        self.signal_name = signal.Signals(number).name
