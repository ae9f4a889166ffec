"""The load generator: Locust drives an ensemble over gRPC at the times a schedule says.

    python -m loadtests --url HOST:PORT --images DIR            judges the run and writes reports
    locust -f loadtests/locustfile.py --headless --url HOST:PORT --images DIR      only drives, with Locust's tables

One Locust user is the dispatcher of an open loop (see `open_loop`); more users or workers would repeat its schedule.
"""

import locust  # before everything that opens a socket: gevent replaces the blocking calls

# isort: split
import os
import sys
from argparse import ArgumentParser
from typing import Any

import gevent
import grpc.experimental.gevent as grpc_gevent
from fovea_client import Client, FoveaError, Retry
from fovea_client.transport import GrpcTransport
from gevent.event import Event
from locust.env import Environment
from locust.exception import StopUser

from loadtests.answers import IMAGE_INPUT, OUTPUTS, fault_in
from loadtests.images import find_images, read_payload
from loadtests.open_loop import OpenLoop
from loadtests.recorder import Recorder, RequestRow
from loadtests.settings import ROWS_FILE, RunSettings, add_run_arguments, settings_from
from loadtests.slo import read_slo

# gRPC's C core blocks the whole process unless it is told about gevent before the first channel exists.
grpc_gevent.init_gevent()

# A proxy in between would be measured along with the server.
CHANNEL_ARGUMENTS = (("grpc.enable_http_proxy", 0),)
DRAIN_MARGIN_S = 1.0
stopping = Event()


class OpenLoopUser(locust.User):  # type: ignore[misc]
    """The dispatcher. Its only task walks the whole schedule once and then ends the run."""

    fixed_count = 1

    def __init__(self, environment: Environment) -> None:
        super().__init__(environment)
        self.settings = _settings(environment)
        self.clients: list[Client] = []

    def walk_the_schedule(self) -> None:
        """Send every request of the schedule; end the run also when this fails, or nothing ever would."""
        try:
            self._connect()
            recorder = Recorder(self.settings.out / ROWS_FILE)
            loop = OpenLoop(self.settings.due_ns().tolist(), self._ask, lambda row: self._finish(recorder, row))
            loop.run(stopping, patience_s=self.settings.timeout_s + DRAIN_MARGIN_S)
        finally:
            gevent.spawn(self.environment.runner.quit)
        raise StopUser

    tasks = [walk_the_schedule]  # noqa: RUF012

    def on_stop(self) -> None:
        """Close the channels now: at interpreter shutdown, gRPC under gevent hangs."""
        for client in self.clients:
            client.close()

    def _connect(self) -> None:
        settings = self.settings
        self.payloads = [read_payload(path) for path in find_images(settings.images)]
        self.clients = [_client(settings) for _ in range(settings.connections)]

    def _ask(self, index: int) -> str | None:
        client = self.clients[index % len(self.clients)]
        payload = self.payloads[index % len(self.payloads)]
        try:
            answer = client.infer(self.settings.task, {IMAGE_INPUT: payload}, outputs=OUTPUTS)
        except FoveaError as error:
            return str(error)
        # A defect of the generator must show in the report, not vanish with its greenlet.
        except Exception as error:  # noqa: BLE001
            return f"{type(error).__name__}: {error}"
        return fault_in(answer)

    def _finish(self, recorder: Recorder, row: RequestRow) -> None:
        recorder.append(row)
        self.environment.events.request.fire(
            request_type="gRPC",
            name=self.settings.task,
            response_time=row.latency_ns / 1e6,
            response_length=0,
            exception=None if row.error is None else RuntimeError(row.error),
            context={},
        )


def _client(settings: RunSettings) -> Client:
    # Every connection is one of its own. A retry would hide what is to be measured.
    transport = GrpcTransport(settings.url, channel_args=CHANNEL_ARGUMENTS)
    return Client(settings.url, timeout_s=settings.timeout_s, retry=Retry.none(), transport=transport)


def _settings(environment: Environment) -> RunSettings:
    options = environment.parsed_options
    return settings_from(options, read_slo(options.slo).load)


def _add_flags(parser: ArgumentParser) -> None:
    add_run_arguments(parser)


def _start(environment: Environment, **_: Any) -> None:
    _settings(environment).out.mkdir(parents=True, exist_ok=True)
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
