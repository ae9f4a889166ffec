"""Runs the locustfile in processes of their own, and makes sure that they end.

Locust brings gevent, and gRPC has been seen to hang at an interpreter's exit; neither may reach the process that judges
and reports.
"""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from loadtests.endpoint import Endpoint
from loadtests.flags import to_arguments
from loadtests.interruption import Interruption
from loadtests.load import Load
from loadtests.outcome_file import GENERATOR_FILE, read_generator_file

LOCUSTFILE = Path(__file__).with_name("locustfile.py")
LOG_FILE = "locust.log"
# Locust's own, for workers from elsewhere.
DEFAULT_PORT = 5557
POLL_S = 0.1
# Interpreter start, imports and reading the images, on a machine that is busy with the server.
START_ALLOWANCE_S = 30.0
# The same for workers elsewhere, whose machines may have to be started first.
CONNECT_ALLOWANCE_S = 300.0
# An interrupted run has three seconds; the report needs the rest of them.
STOP_PATIENCE_S = 1.5
Processes = Sequence["subprocess.Popen[bytes]"]


@dataclass(frozen=True)
class Workers:
    """How many generators share a load.

    Attributes:
        local: on this machine, started and ended here.
        remote: on others, see the command `worker`; they connect to `port` of this machine.
        port: of Locust's master; 0 stands for DEFAULT_PORT, or for a free one where no worker is remote.
    """

    local: int = 1
    remote: int = 0
    port: int = 0

    @property
    def alone(self) -> bool:
        """Whether one process is all."""
        return self.local == 1 and self.remote == 0

    @property
    def start_allowance_s(self) -> float:
        """How long it may take until all of them are ready."""
        return CONNECT_ALLOWANCE_S if self.remote else START_ALLOWANCE_S


ALONE = Workers()
# gRPC's event engine hands each answer to one thread more: .1 ms and a tenth of the generator's CPU for every request.
_DIRECT = {"GRPC_EXPERIMENTS": "-event_engine_client,-event_engine_listener"}


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
    workers: Workers,
    on_tick: Callable[[], None],
) -> Generation:
    """Drive the whole load; `faults` are sentences about what went wrong with the generator, none if all is well.

    Rows are written below `out` while it runs. Calls `on_tick` every POLL_S. Ends early on an interruption
    and, at the latest, when the schedule, the last request's timeout and the workers' `start_allowance_s` have passed.
    """
    deadline_s = time.monotonic() + workers.start_allowance_s + load.span_s + endpoint.timeout_s
    (out / GENERATOR_FILE).unlink(missing_ok=True)
    processes = _start(endpoint, load, out, workers)
    try:
        while processes[0].poll() is None and not interruption.signal_name and time.monotonic() < deadline_s:
            on_tick()
            time.sleep(POLL_S)
        hung = processes[0].poll() is None and not interruption.signal_name
    finally:
        _end(processes)
    said = read_generator_file(out)
    faults = (*_faults(processes[0].returncode, hung, interruption, out / LOG_FILE), *said.get("faults", ()))
    return Generation(said.get("cpu_ratio"), faults[:1])


def locust_command(*flags: str) -> tuple[list[str], dict[str, str]]:
    """The command line of a generator and its environment."""
    command = [sys.executable, "-m", "locust", "-f", str(LOCUSTFILE), "--headless", "--only-summary"]
    # Who sends does it in a thread, which must be one; Locust's master sends nothing and needs gevent's replacements.
    unpatched = {} if "--master" in flags else {"LOCUST_SKIP_MONKEY_PATCH": "1"}
    return [*command, "--stop-timeout=5", *flags], {**_DIRECT, **os.environ, **unpatched}


def _start(endpoint: Endpoint, load: Load, out: Path, workers: Workers) -> Processes:
    """The process whose end is the end of the load, then those that it coordinates."""
    own = [f"--out={out}", *to_arguments(endpoint, load)]
    if workers.alone:
        return [_spawn(out, "--users=1", *own)]
    port, count = workers.port or (DEFAULT_PORT if workers.remote else _free_port()), workers.local + workers.remote
    host = "*" if workers.remote else "127.0.0.1"
    counted = (f"--users={count}", f"--spawn-rate={count}", f"--expect-workers={count}")
    bound = (f"--master-bind-host={host}", f"--master-bind-port={port}")
    master = _spawn(out, "--master", *bound, *counted, f"--expect-workers-max-wait={workers.start_allowance_s:g}", *own)
    worker = ("--worker", "--master-host=127.0.0.1", f"--master-port={port}", f"--out={out}")
    return [master, *(_spawn(out, *worker) for _ in range(workers.local))]


def _spawn(out: Path, *flags: str) -> "subprocess.Popen[bytes]":
    command, environment = locust_command(*flags)
    with (out / LOG_FILE).open("ab") as log:
        # A session of its own: Ctrl+C then reaches this process alone, which decides how the other one ends.
        return subprocess.Popen(
            command,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )


def _end(processes: Processes) -> None:
    """Workers first, so that their last rows reach the master; what does not end in time is killed."""
    deadline_s = time.monotonic() + STOP_PATIENCE_S
    first, *workers = processes
    for process in workers if workers and first.poll() is None else processes:
        process.terminate()
    while any(process.poll() is None for process in processes) and time.monotonic() < deadline_s:
        time.sleep(POLL_S / 5)
    for process in processes:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _faults(exit_code: int, hung: bool, interruption: Interruption, log: Path) -> tuple[str, ...]:
    if interruption.signal_name:
        return (f"the run was interrupted by {interruption.signal_name} before its schedule ended.",)
    if hung:
        return (f"the load generator did not end in time and was killed; see {log}.",)
    if exit_code:
        return (f"the load generator ended with exit code {exit_code}; see {log}.",)
    return ()
