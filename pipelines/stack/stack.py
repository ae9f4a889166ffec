"""Start every service, say where each is, watch them, and leave nothing behind."""

import fcntl
import signal
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console
from rich.table import Table

from pipelines.errors import PipelineError
from pipelines.output import write_json
from pipelines.stack.ports import choose
from pipelines.stack.process import Running, Service
from pipelines.stack.release import place_shipped
from pipelines.stack.scraping import write_scraping
from pipelines.stack.services import StackOptions, programs, services

# Written when every service answers, removed at the end: for those who are no people.
SERVICES_FILE = "services.json"
_POLL_S = 0.2
_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def run_stack(options: StackOptions, console: Console) -> None:
    """Run the stack until SIGINT, SIGTERM or SIGHUP.

    Raises:
        PipelineError: a program is missing, a port is taken, a service ended by itself or never answered. Every service
            has been ended by then.
    """
    found = programs(options.without)
    with _alone(options.folder):
        ports = choose(options.ports)
        place_shipped(options.build, console)
        options.metrics.mkdir(parents=True, exist_ok=True)
        if "prometheus" not in options.without:
            write_scraping(options, ports, console)
        with _stoppable() as stop:
            run_services(services(options, ports, found), options.folder, options.start_timeout_s, stop, console)


def run_services(
    wanted: Sequence[Service], folder: Path, start_timeout_s: float, stop: threading.Event, console: Console
) -> None:
    """Start the services, keep their addresses in `folder`, and end them once `stop` is set or one of them has ended.

    Raises:
        PipelineError: one ended by itself or never answered; the message ends with its last words.
    """
    running: list[Running] = []
    (folder / SERVICES_FILE).unlink(missing_ok=True)  # of one that was killed: its addresses are dead
    try:
        for service in wanted:
            running.append(Running(service, folder))  # noqa: PERF401 - known even if the next one cannot be started
        _await_ready(running, start_timeout_s, stop, console)
        if not stop.is_set():
            _write_services(running, folder / SERVICES_FILE)
            _announce(running, folder, console)
        while not stop.wait(_POLL_S):
            _check(running)
    finally:
        (folder / SERVICES_FILE).unlink(missing_ok=True)
        console.print("stopping …")
        _end(running)
        console.print("stopped; no process is left")


def _await_ready(running: Sequence[Running], timeout_s: float, stop: threading.Event, console: Console) -> None:
    started_s = time.monotonic()
    waiting = list(running)
    while waiting and not stop.wait(_POLL_S):
        _check(running)
        waited_s = time.monotonic() - started_s
        for each in [each for each in waiting if each.service.ready()]:
            waiting.remove(each)
            console.print(f"[dim]{each.service.name} answers after {waited_s:.0f} s[/dim]")
        if waiting and waited_s > timeout_s:
            raise PipelineError(f"{waiting[0].service.name} did not answer within {timeout_s:g} s; {_said(waiting[0])}")


def _check(running: Sequence[Running]) -> None:
    for each in running:
        if each.status() is not None:
            raise PipelineError(f"{each.service.name} ended by itself with status {each.status()}; {_said(each)}")


def _said(running: Running) -> str:
    return f"the end of its log {running.log}:\n{running.last_words() or '(nothing)'}"


def _announce(running: Sequence[Running], folder: Path, console: Console) -> None:
    table = Table(show_header=False, box=None)
    for each in running:
        table.add_row(each.service.name, each.service.address, each.service.about)
    console.print(table)
    console.print(f"everything runs; logs are in {folder}; Ctrl-C stops it")


def _write_services(running: Sequence[Running], file: Path) -> None:
    found = {
        each.service.name: {"address": each.service.address.removeprefix("http://"), "pid": each.pid}
        for each in running
    }
    write_json(file, found)


def _end(running: Sequence[Running]) -> None:
    for each in reversed(running):
        each.ask_to_end()
    for each in reversed(running):
        each.end()


@contextmanager
def _stoppable() -> Iterator[threading.Event]:
    """Yield what the signals set. They do no more than that, so a second Ctrl-C does not interrupt the ending."""
    stop = threading.Event()
    before = {number: signal.getsignal(number) for number in _SIGNALS}
    for number, handler in before.items():
        if handler is not signal.SIG_IGN:  # nohup asked to go on
            signal.signal(number, lambda *_: stop.set())
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Hold the folder: two stacks in it would write over each other's logs and metrics.

    Raises:
        PipelineError: another one holds it, or it cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = (folder / "lock").open("w")
    except OSError as error:
        raise PipelineError(f"{folder} cannot be written ({error}); name another --build") from error
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise PipelineError(f"a stack runs in {folder} already; stop it, or name another --build") from error
        yield
