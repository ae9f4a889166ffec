"""Ctrl-C while libraries are imported: some of them swallow it, others die with a page of traceback."""

import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


@contextmanager
def imports_die_quietly() -> Iterator[None]:
    """End the process at once on Ctrl-C, with status 130: nothing has begun that would have to be tidied up."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, _die)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _die(number: int, frame: FrameType | None) -> None:
    del frame
    sys.stderr.write("interrupted before anything began\n")
    sys.stderr.flush()
    os._exit(128 + number)
