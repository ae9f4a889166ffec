"""One service as a process of its own: started into a log, asked whether it is ready, ended with all its children."""

import ctypes
import os
import signal
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from pipelines.errors import PipelineError

_PR_SET_PDEATHSIG = 1
_END_TIMEOUT_S = 30.0
_CHILDREN_TIMEOUT_S = 5.0


@dataclass(frozen=True)
class Service:
    """What is started, and how one knows that it answers.

    Attributes:
        name: as the stack calls it; its log is `<name>.log`.
        command: program and words.
        ready: whether it answers by now; asked again and again.
        address: where, for people.
        about: what one finds there.
        environment: variables beyond those of this process.
    """

    name: str
    command: tuple[str, ...]
    ready: Callable[[], bool]
    address: str
    about: str = ""
    environment: Mapping[str, str] = field(default_factory=dict)


class Running:
    """A service that was started."""

    def __init__(self, service: Service, folder: Path) -> None:
        self.service = service
        self.log = folder / f"{service.name}.log"
        try:
            with self.log.open("wb") as log:
                self._process = subprocess.Popen(
                    service.command,
                    env=os.environ | dict(service.environment),
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,  # Ctrl-C is the stack's to hear: it ends services in order
                    preexec_fn=_end_with_parent,  # noqa: PLW1509 - one prctl call, no lock is taken
                )
        except OSError as error:
            raise PipelineError(f"{service.name} cannot be started ({error})") from error
        self._family: list[psutil.Process] = []

    @property
    def pid(self) -> int:
        """Of the process that was started; its children have others."""
        return self._process.pid

    def status(self) -> int | None:
        """Return its exit status if it ended, else None."""
        return self._process.poll()

    def last_words(self, lines: int = 8) -> str:
        """Return the last lines of its log that say something."""
        said = [line for line in self.log.read_text(errors="replace").splitlines() if line.strip()]
        return "\n".join(said[-lines:])

    def ask_to_end(self) -> None:
        """Ask it to stop; `end` waits for it."""
        self._family = self._children()
        if self.status() is None:
            self._process.send_signal(signal.SIGTERM)

    def end(self, timeout_s: float = _END_TIMEOUT_S) -> None:
        """Wait until it has stopped, then end by their pids what is left of its children and theirs."""
        try:
            self._process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            self._family += self._children()
            self._process.kill()
            self._process.wait()
        self._family += self._orphans()
        _, left = psutil.wait_procs(_each(self._family, psutil.Process.terminate), timeout=_CHILDREN_TIMEOUT_S)
        psutil.wait_procs(_each(left, psutil.Process.kill), timeout=_CHILDREN_TIMEOUT_S)

    def _children(self) -> list[psutil.Process]:
        try:
            return list(psutil.Process(self.pid).children(recursive=True)) if self.status() is None else []
        except psutil.NoSuchProcess:
            return []

    def _orphans(self) -> list[psutil.Process]:
        """Return what a service that is gone has left in its session, which was its own."""
        return [process for process in psutil.process_iter() if _session(process.pid) == self.pid]


def _each(processes: list[psutil.Process], signalled: Callable[[psutil.Process], None]) -> list[psutil.Process]:
    """Signal those that still run; psutil knows their start too, so another one with a pid of theirs is safe."""
    for process in processes:
        try:
            signalled(process)
        except psutil.NoSuchProcess:
            pass
    return processes


def _session(pid: int) -> int | None:
    try:
        return os.getsid(pid)
    except OSError:
        return None


def _end_with_parent() -> None:
    """Have the service asked to stop if the stack itself is killed, so that nothing keeps its ports."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
