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
        self._known = psutil.Process(self._process.pid)

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
        """Wait until it has stopped, then end what is left of it and of the children that it had, by their pids."""
        try:
            self._process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            self._family += self._children()
            self._process.kill()
            self._process.wait()
        for child in self._family:
            _kill(child)
        psutil.wait_procs(self._family, timeout=5)

    def _children(self) -> list[psutil.Process]:
        try:
            return list(self._known.children(recursive=True))
        except psutil.NoSuchProcess:
            return self._orphans()

    def _orphans(self) -> list[psutil.Process]:
        """Return what a service that is gone has left in its session, which is its own."""
        return [process for process in psutil.process_iter() if _session(process.pid) == self.pid]


def _session(pid: int) -> int | None:
    try:
        return os.getsid(pid)
    except OSError:
        return None


def _kill(process: psutil.Process) -> None:
    try:
        process.kill()  # psutil looks at its start time first: another one with this pid is left alone
    except psutil.NoSuchProcess:
        pass


def _end_with_parent() -> None:
    """Have the service asked to stop if the stack itself is killed, so that nothing keeps its ports."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
