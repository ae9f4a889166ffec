"""Runs the locustfile in processes of their own, and makes sure that they end.

gevent replaces the standard library's blocking calls for a whole process and gRPC under gevent has been seen to hang at
exit; neither may reach the process that judges and reports.
"""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from loadtests.endpoint import Endpoint
from loadtests.flags import to_arguments
from loadtests.interruption import Interruption
from loadtests.load import Load

LOCUSTFILE = Path(__file__).with_name("locustfile.py")
LOG_FILE = "locust.log"
# What a generator says of itself at its end.
GENERATOR_FILE = "generator.json"
POLL_S = 0.1
# Interpreter start, imports and reading the images, on a machine that is busy with the server.
START_ALLOWANCE_S = 30.0
# An interrupted run has three seconds; the report needs the rest of them.
STOP_PATIENCE_S = 1.5
# Locust exits with 1 when requests failed, which is a result and not a fault of the generator.
CLEAN_EXITS = frozenset({0, 1})


@dataclass(frozen=True)
class Generation:
    """How it went with the generators: see the attributes of the same names of `drive.Drive`."""

    cpu_ratio: float | None
    faults: tuple[str, ...]


def generate(
    endpoint: Endpoint,
    load: Load,
    out: Path,
    interruption: Interruption,
    *,
    processes: int,
    on_tick: Callable[[], None],
) -> Generation:
    """Drive the whole load; `faults` are sentences about what went wrong with the generator, none if all is well.

    Rows are written below `out` while it runs. Calls `on_tick` every POLL_S. Ends early on an interruption
    and, at the latest, when the schedule, the last request's timeout and START_ALLOWANCE_S have passed.
    """
    del processes
    deadline_s = time.monotonic() + START_ALLOWANCE_S + load.span_s + endpoint.timeout_s
    (out / GENERATOR_FILE).unlink(missing_ok=True)
    process = _start(endpoint, load, out)
    try:
        while process.poll() is None and not interruption.signal_name and time.monotonic() < deadline_s:
            on_tick()
            time.sleep(POLL_S)
        hung = process.poll() is None and not interruption.signal_name
    finally:
        _end(process)
    return Generation(_cpu_ratio(out), _faults(process.returncode, hung, interruption, out / LOG_FILE))


def _start(endpoint: Endpoint, load: Load, out: Path) -> "subprocess.Popen[bytes]":
    command = [sys.executable, "-m", "locust", "-f", str(LOCUSTFILE), "--headless", "--users=1", "--only-summary"]
    with (out / LOG_FILE).open("wb") as log:
        # A session of its own: Ctrl+C then reaches this process alone, which decides how the other one ends.
        return subprocess.Popen(
            [*command, "--stop-timeout=5", f"--out={out}", *to_arguments(endpoint, load)],
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


def _cpu_ratio(out: Path) -> float | None:
    path = out / GENERATOR_FILE
    return float(json.loads(path.read_text())["cpu_ratio"]) if path.exists() else None


def _faults(exit_code: int, hung: bool, interruption: Interruption, log: Path) -> tuple[str, ...]:
    if interruption.signal_name:
        return (f"the run was interrupted by {interruption.signal_name} before its schedule ended.",)
    if hung:
        return (f"the load generator did not end in time and was killed; see {log}.",)
    if exit_code not in CLEAN_EXITS:
        return (f"the load generator ended with exit code {exit_code}; see {log}.",)
    return ()
