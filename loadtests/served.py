"""A placed release as a running server, through serving's front door; and what is known of a server that runs already.

Serving is another stage: it is started as a process and says in a file where it listens.
"""

import ctypes
import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from loadtests.errors import ServerNotReadyError

_PR_SET_PDEATHSIG = 1
_POLL_S = 0.1
START_TIMEOUT_S = 180.0
# Nothing is under way when a question ends; what is left of Triton's own patience would be waited for in vain.
EXIT_TIMEOUT_S = 1
END_PATIENCE_S = 20.0


@dataclass(frozen=True)
class Served:
    """A server that answers.

    Attributes:
        url: its gRPC address.
        profile: its serving profile, "" when nobody said.
        instances: of every network; None for the profile's own number, or when nobody said.
        release: the digest of what it serves, "" when unknown.
        metrics_url: where Triton's metrics are, None when nobody said.
        pid: its process, None when it is not known to be on this machine.
    """

    url: str
    profile: str = ""
    instances: int | None = None
    release: str = ""
    metrics_url: str | None = None
    pid: int | None = None

    @property
    def name(self) -> str:
        """Short, for a line of text: what tells it from its neighbours."""
        instances = "" if self.instances is None else f" × {self.instances}"
        return f"{self.profile or self.url}{instances}"


@contextmanager
def serve(
    repository: Path,
    folder: Path,
    *,
    profile: str = "default",
    instances: int | None = None,
    interrupted: Callable[[], bool] = lambda: False,
) -> Iterator[Served]:
    """A server of a release, from when it is ready until the block ends; its logs and endpoint file go below `folder`.

    Raises ServerNotReadyError with the server's last words, also when `interrupted` says so while it starts.
    """
    folder.mkdir(parents=True, exist_ok=True)
    endpoint_file = folder / "endpoint.json"
    endpoint_file.unlink(missing_ok=True)
    log = folder / "serving.log"
    process = _start(_command(repository, folder, endpoint_file, profile, instances), log)
    try:
        _await(process, endpoint_file, log, interrupted)
        endpoint = json.loads(endpoint_file.read_text(encoding="utf-8"))
        metrics_url = f"http://{endpoint['metrics']}/metrics"
        yield Served(endpoint["grpc"], profile, instances, endpoint["release"], metrics_url, endpoint["pid"])
    finally:
        _end(process)


def _command(repository: Path, folder: Path, endpoint_file: Path, profile: str, instances: int | None) -> list[str]:
    words = {
        "repository": repository,
        "profile": profile,
        "endpoint-file": endpoint_file,
        "log": folder / "triton.log",
        "start-timeout-s": START_TIMEOUT_S,
        "exit-timeout-s": EXIT_TIMEOUT_S,
    }
    if instances is not None:
        words["instances"] = instances
    return [sys.executable, "-m", "serving", *(f"--{name}={value}" for name, value in words.items())]


def _start(command: list[str], log: Path) -> "subprocess.Popen[bytes]":
    with log.open("wb") as output:
        return subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # Ctrl+C must not end it before the load that it answers
            preexec_fn=_die_with_parent,  # noqa: PLW1509 - one prctl call, no lock is taken
        )


def _die_with_parent() -> None:
    """A server must not outlive a killed load test: nobody would know of it."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


def _await(process: "subprocess.Popen[bytes]", endpoint_file: Path, log: Path, interrupted: Callable[[], bool]) -> None:
    deadline_s = time.monotonic() + START_TIMEOUT_S
    while not endpoint_file.exists():
        if interrupted():
            raise ServerNotReadyError("interrupted while a server was starting: nothing was measured.")
        if process.poll() is not None or time.monotonic() > deadline_s:
            words = " ".join(log.read_text(encoding="utf-8", errors="replace").split())
            raise ServerNotReadyError(f"the server did not start: {words or 'it said nothing'}")
        time.sleep(_POLL_S)


def _end(process: "subprocess.Popen[bytes]") -> None:
    if process.poll() is None:
        process.terminate()
    try:
        process.wait(END_PATIENCE_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
