"""The load generator: Locust drives a model over gRPC at the times a schedule says.

    python -m loadtests --url HOST:PORT --images DIR            judges the run and writes reports
    locust -f loadtests/locustfile.py --headless --url HOST:PORT --images DIR --rate 2 --duration-s 20    only drives

One Locust user is the dispatcher of an open loop (see `open_loop`); more users or workers would repeat its schedule.
"""

import locust  # before everything that opens a socket: gevent replaces the blocking calls

# isort: split
import json
import os
import sys
import time
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

import gevent
import grpc.experimental.gevent as grpc_gevent
from fovea_client import FoveaError
from fovea_client.requests import ConfigRequest, InferRequest
from gevent.event import Event
from locust.env import Environment
from locust.exception import StopUser

from loadtests.answers import IMAGE_INPUT
from loadtests.correctness import Checker
from loadtests.flags import add_endpoint_arguments, add_load_arguments, endpoint_from, load_from
from loadtests.generator import GENERATOR_FILE
from loadtests.images import image_set, read_payload
from loadtests.open_loop import OpenLoop
from loadtests.recorder import Recorder

# gRPC's C core blocks the whole process unless it is told about gevent before the first channel exists.
grpc_gevent.init_gevent()

DRAIN_MARGIN_S = 1.0
LOAD_DEFAULTS = {"rate_rps": 1.0, "duration_s": 10.0, "warm_up_s": 0.0, "arrivals": "poisson", "users": 0}
stopping = Event()


class OpenLoopUser(locust.User):  # type: ignore[misc]
    """The dispatcher. Its only task walks the whole schedule once and then ends the run."""

    fixed_count = 1

    def __init__(self, environment: Environment) -> None:
        super().__init__(environment)
        options = environment.parsed_options
        self.endpoint = endpoint_from(options)
        self.load = load_from(options, LOAD_DEFAULTS)
        self.out = Path(options.out)
        self.transports: list[Any] = []

    def walk_the_schedule(self) -> None:
        """Send every request of the schedule; end the run also when this fails, or nothing ever would."""
        try:
            due_ns = self.load.due_ns().tolist()
            self._connect(len(due_ns))
            recorder = Recorder(self.out)
            loop = OpenLoop(due_ns, self._ask, lambda *row: self._finish(recorder, *row))
            began_s, cpu_began_s = time.monotonic(), time.process_time()
            loop.run(stopping, patience_s=self.endpoint.timeout_s + DRAIN_MARGIN_S)
            ratio = (time.process_time() - cpu_began_s) / (time.monotonic() - began_s)
            recorder.close()
            (self.out / GENERATOR_FILE).write_text(json.dumps({"cpu_ratio": ratio}))
        finally:
            gevent.spawn(self.environment.runner.quit)
        raise StopUser

    tasks = [walk_the_schedule]  # noqa: RUF012

    def on_stop(self) -> None:
        """Close the channels now: at interpreter shutdown, gRPC under gevent hangs."""
        for transport in self.transports:
            transport.close()

    def _connect(self, count: int) -> None:
        images = image_set(self.load.images)
        self.images = images.sequence(count, self.load.seed).tolist()
        self.transports = [self.endpoint.connect() for _ in range(self.endpoint.connections)]
        config = self.transports[0].send(ConfigRequest(self.endpoint.task), timeout_s=self.endpoint.timeout_s)
        self.checker = Checker.of(config, self.out)
        self.requests = [
            InferRequest(self.endpoint.task, {IMAGE_INPUT: read_payload(path)}, self.checker.outputs)
            for path in images.paths
        ]

    def _ask(self, index: int) -> str | None:
        transport = self.transports[index % len(self.transports)]
        try:
            answer = transport.send(self.requests[self.images[index]], timeout_s=self.endpoint.timeout_s)
        except FoveaError as error:
            return str(error)
        # A defect of the generator must show in the report, not vanish with its greenlet.
        except Exception as error:  # noqa: BLE001
            return f"{type(error).__name__}: {error}"
        return self.checker.fault_in(index, self.images[index], answer.outputs)

    def _finish(self, recorder: Recorder, index: int, times_ns: tuple[int, int, int], error: str | None) -> None:
        recorder.append(index, times_ns, self.images[index], error)
        self.environment.events.request.fire(
            request_type="gRPC",
            name=self.endpoint.task,
            response_time=(times_ns[2] - times_ns[0]) / 1e6,
            response_length=0,
            exception=None if error is None else RuntimeError(error),
            context={},
        )


def _add_flags(parser: ArgumentParser) -> None:
    parser.add_argument("--url", metavar="HOST:PORT", help="gRPC address of the server")
    parser.add_argument("--out", default="build/loadtest", metavar="DIR", help="rows (default: %(default)s)")
    parser.add_argument("--closed-loop-users", type=int, default=0, metavar="N")
    add_endpoint_arguments(parser)
    add_load_arguments(parser)


def _start(environment: Environment, **_: Any) -> None:
    Path(environment.parsed_options.out).mkdir(parents=True, exist_ok=True)
    stopping.clear()


def _stop(**_: Any) -> None:
    stopping.set()


def _refuse_an_empty_run(environment: Environment, **_: Any) -> None:
    # Locust would exit with 0, and a gate in front of a deployment would open.
    if environment.runner is not None and environment.runner.stats.total.num_requests == 0:
        environment.process_exit_code = 1


def _leave(exit_code: int, **_: Any) -> None:
    # Channels that escaped on_stop would hang the interpreter's shutdown; every row is on disk already.
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(exit_code)


locust.events.init_command_line_parser.add_listener(_add_flags)
locust.events.test_start.add_listener(_start)
locust.events.test_stopping.add_listener(_stop)
locust.events.quitting.add_listener(_stop)
locust.events.quitting.add_listener(_refuse_an_empty_run)
locust.events.quit.add_listener(_leave)
