"""Runs the locustfile in a process of its own, and makes sure that the process ends.

gevent replaces the standard library's blocking calls for a whole process and gRPC under gevent has been seen to hang at
exit; neither may reach the process that judges and reports.
"""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

from loadtests.settings import RunSettings

LOCUSTFILE = Path(__file__).with_name("locustfile.py")
LOG_FILE = "locust.log"
POLL_S = 0.1
# Interpreter start, imports and reading the images, on a machine that is busy with the server.
START_ALLOWANCE_S = 30.0
# An interrupted run has three seconds; the report needs the rest of them.
STOP_PATIENCE_S = 1.5
# A closed terminal too: the generator has a session of its own and would go on without its parent.
END_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
# Locust exits with 1 when requests failed, which is a result and not a fault of the generator.
CLEAN_EXITS = frozenset({0, 1})


class Interruption:
    """Whether a signal that asks the process to end has come since `listen` was entered."""

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


def generate(settings: RunSettings, interruption: Interruption, on_tick: Callable[[], None]) -> tuple[str, ...]:
    """Drive the whole schedule and return sentences about what went wrong with the generator, none if all is well.

    Rows are written below `settings.out` while it runs. Calls `on_tick` every POLL_S. Ends early on an interruption
    and, at the latest, when the schedule, the last request's timeout and START_ALLOWANCE_S have passed.
    """
    deadline_s = time.monotonic() + START_ALLOWANCE_S + settings.span_s + settings.timeout_s
    process = _start(settings)
    try:
        while process.poll() is None and not interruption.signal_name and time.monotonic() < deadline_s:
            on_tick()
            time.sleep(POLL_S)
        hung = process.poll() is None and not interruption.signal_name
    finally:
        _end(process)
    return _faults(process.returncode, hung, interruption, settings.out / LOG_FILE)


def _start(settings: RunSettings) -> "subprocess.Popen[bytes]":
    command = [sys.executable, "-m", "locust", "-f", str(LOCUSTFILE), "--headless", "--users=1", "--only-summary"]
    with (settings.out / LOG_FILE).open("wb") as log:
        # A session of its own: Ctrl+C then reaches this process alone, which decides how the other one ends.
        return subprocess.Popen(
            [*command, "--stop-timeout=5", *settings.to_arguments()],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )


def _end(process: "subprocess.Popen[bytes]") -> None:
    if process.poll() is None:
        process.terminate()
    try:
        process.wait(STOP_PATIENCE_S)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _faults(exit_code: int, hung: bool, interruption: Interruption, log: Path) -> tuple[str, ...]:
    if interruption.signal_name:
        return (f"the run was interrupted by {interruption.signal_name} before its schedule ended.",)
    if hung:
        return (f"the load generator did not end in time and was killed; see {log}.",)
    if exit_code not in CLEAN_EXITS:
        return (f"the load generator ended with exit code {exit_code}; see {log}.",)
    return ()
