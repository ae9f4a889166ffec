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
from loadtests.workers import Alone, Master, Station, Worker

FLUSH_PERIOD_S = 0.1
UNPATCHED = "LOCUST_SKIP_MONKEY_PATCH"
FAILED = 3


class DispatcherUser(locust.User):  # type: ignore[misc]
    """The dispatcher. Its only task sends a whole share and then ends the run."""

    def send_the_share(self) -> None:
        """Send it; end the run also when this fails, or nothing ever would."""
        runner = self.environment.runner
        try:
            self._send_the_share()
        except Exception:
            self.environment.process_exit_code = FAILED
            raise
        finally:
            # A worker waits for its master, which ends when all are done.
            if not isinstance(runner, WorkerRunner):
                gevent.spawn(runner.quit)
        raise StopUser

    tasks = [send_the_share]  # noqa: RUF012

    def _send_the_share(self) -> None:
        if monkey.is_module_patched("threading"):
            raise LoadTestError(f"set {UNPATCHED}=1: with gevent's replacements the sending thread would be none.")
        options = self.environment.parsed_options
        station: Station = stations[0]
        sending = Sending(endpoint_from(options), load_from(options, LOAD_DEFAULTS), Path(options.out), station.rows)
        sendings.append(sending)
        thread = gevent.get_hub().threadpool.spawn(sending.run)
        prepared = False
        while not thread.ready():
            gevent.sleep(FLUSH_PERIOD_S if prepared else FLUSH_PERIOD_S / 10)
            if sending.ready.is_set() and not prepared:
                station.prepared(sending)
                prepared = True
            station.flush()
        thread.get()
        station.done(sending.cpu_ratio)


stations: list[Any] = []
sendings: list[Sending] = []


def _add_flags(parser: ArgumentParser) -> None:
    parser.add_argument("--url", metavar="HOST:PORT", help="gRPC address of the server")
    parser.add_argument("--out", default="build/loadtest", metavar="DIR", help="rows (default: %(default)s)")
    parser.add_argument("--closed-loop-users", type=int, default=0, metavar="N", help="a closed loop of so many users")
    add_endpoint_arguments(parser)
    add_load_arguments(parser)


def _start(environment: Environment, **_: Any) -> None:
    options = environment.parsed_options
    out = Path(options.out)
    out.mkdir(parents=True, exist_ok=True)
    if isinstance(environment.runner, MasterRunner):
        stations.append(Master(environment, out, options.expect_workers))
    elif isinstance(environment.runner, WorkerRunner):
        stations.append(Worker(environment))
    else:
        stations.append(Alone(out))


def _stop(**_: Any) -> None:
    for sending in sendings:
        sending.stop()


def _quit(environment: Environment, **_: Any) -> None:
    _stop()
    # Locust would exit with 1 for failed requests, of which it knows nothing here, and with 0 for none at all.
    environment.process_exit_code = environment.process_exit_code or 0
    for station in stations:
        if isinstance(station, Master):
            station.close()


def _leave(exit_code: int, **_: Any) -> None:
    # Every row is on disk; the interpreter's shutdown must not wait for a channel or a thread.
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(exit_code)


locust.events.init_command_line_parser.add_listener(_add_flags)
locust.events.test_start.add_listener(_start)
locust.events.test_stopping.add_listener(_stop)
locust.events.quitting.add_listener(_quit)
locust.events.quit.add_listener(_leave)
