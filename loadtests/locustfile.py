"""The load generator: Locust starts, stops and coordinates what `sending` sends over gRPC at the times a schedule says.

    python -m loadtests --url HOST:PORT --images DIR            judges the run and writes reports
    LOCUST_SKIP_MONKEY_PATCH=1 locust -f loadtests/locustfile.py --headless --url HOST:PORT --images DIR ...

The second only drives and writes rows. One Locust user of each process is the dispatcher of its share; with `--master`
and `--worker` the rows of all workers come together at the master (`workers`).
"""

import os
import sys
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

import gevent
import locust
from gevent import monkey
from locust.env import Environment
from locust.exception import StopUser
from locust.runners import MasterRunner, WorkerRunner

from loadtests.errors import LoadTestError
from loadtests.flags import LOAD_DEFAULTS, add_endpoint_arguments, add_load_arguments, endpoint_from, load_from
from loadtests.sending import Sending
from loadtests.workers import Alone, Master, Worker

# Whoever writes keeps the sender from its requests for a moment: at ten times a second that was their p99.
FLUSH_PERIOD_S = 1.0
READY_POLL_S = 0.01
UNPATCHED = "LOCUST_SKIP_MONKEY_PATCH"
FAILED = 3


class Process:
    """What there is once in a process. `out` is its own: a worker's other options come from its master."""

    out = Path()
    station: Alone | Worker | Master | None = None
    sending: Sending | None = None


class DispatcherUser(locust.User):  # type: ignore[misc]
    """The dispatcher. Its only task sends a whole share and then ends the run."""

    def send_the_share(self) -> None:
        """Send it; end the run also when this fails, or nothing ever would."""
        try:
            self._send_the_share()
        except Exception:
            self.environment.process_exit_code = FAILED
            gevent.spawn(self.environment.runner.quit)
            raise
        # A worker waits for its master, which ends when all are done.
        if not isinstance(self.environment.runner, WorkerRunner):
            gevent.spawn(self.environment.runner.quit)
        raise StopUser

    tasks = [send_the_share]  # noqa: RUF012

    def _send_the_share(self) -> None:
        if monkey.is_module_patched("threading"):
            raise LoadTestError(f"set {UNPATCHED}=1: with gevent's replacements the sending thread would be none.")
        options, station = self.environment.parsed_options, Process.station
        assert isinstance(station, Alone | Worker)  # noqa: S101
        endpoint, load = endpoint_from(options), load_from(options, LOAD_DEFAULTS)
        Process.sending = sending = Sending(endpoint, load, Process.out, station.rows)
        thread = gevent.get_hub().threadpool.spawn(sending.run)
        while not thread.ready() and not sending.ready.is_set():
            gevent.sleep(READY_POLL_S)
        if sending.ready.is_set():
            station.prepared(sending)
        while not thread.ready():
            thread.wait(FLUSH_PERIOD_S)
            station.flush()
        thread.get()
        station.done(sending.cpu_ratio)


def _add_flags(parser: ArgumentParser) -> None:
    parser.add_argument("--url", metavar="HOST:PORT", help="gRPC address of the server")
    parser.add_argument("--out", default="build/loadtest", metavar="DIR", help="rows (default: %(default)s)")
    parser.add_argument("--closed-loop-users", type=int, default=0, metavar="N", help="a closed loop of so many users")
    add_endpoint_arguments(parser)
    add_load_arguments(parser)


def _init(environment: Environment, **_: Any) -> None:
    Process.out = Path(environment.parsed_options.out)
    Process.out.mkdir(parents=True, exist_ok=True)


def _start(environment: Environment, **_: Any) -> None:
    if isinstance(environment.runner, MasterRunner):
        Process.station = Master(environment, Process.out, environment.parsed_options.expect_workers)
    elif isinstance(environment.runner, WorkerRunner):
        Process.station = Worker(environment)
    else:
        Process.station = Alone(Process.out)


def _stop(**_: Any) -> None:
    if Process.sending is not None:
        Process.sending.stop()


def _quit(environment: Environment, **_: Any) -> None:
    _stop()
    # Locust's own codes are about requests that it counted, and it counts none here.
    environment.process_exit_code = environment.process_exit_code or 0
    if isinstance(Process.station, Master):
        Process.station.close()


def _leave(exit_code: int, **_: Any) -> None:
    # Every row is on disk; the interpreter's shutdown must not wait for a channel or a thread.
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(exit_code)


locust.events.init_command_line_parser.add_listener(_add_flags)
locust.events.init.add_listener(_init)
locust.events.test_start.add_listener(_start)
locust.events.test_stopping.add_listener(_stop)
locust.events.quitting.add_listener(_quit)
locust.events.quit.add_listener(_leave)
