"""One embedded Triton process: start it, wait until every model is ready, stop it and leave nothing behind."""

import ctypes
import json
import os
import shutil
import signal
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from serving import runtime
from serving.errors import PreflightError, StartError
from serving.instances import linked_repository
from serving.repository import check_repository

_PR_SET_PDEATHSIG = 1
_POLL_S = 0.1
_SAMPLES = "FOVEA_SAMPLES"  # what the models of a release read


@dataclass(frozen=True)
class Options:
    """How to serve.

    Attributes:
        repository: a placed release.
        profile: which configs/<profile>.pbtxt a model uses; `default` is config.pbtxt.
        http_port, grpc_port, metrics_port: of 127.0.0.1; 0 stands for a free one.
        start_timeout_s: how long loading may take.
        exit_timeout_s: how long requests under way may take to finish after a stop was asked for.
        log: where Triton's own log goes.
        instances: of every network; None leaves what the profile says.
        samples: where pictures are kept for labelling, as its policy allows; None keeps none.
    """

    repository: Path
    profile: str = "default"
    http_port: int = 0
    grpc_port: int = 0
    metrics_port: int = 0
    start_timeout_s: float = 120.0
    exit_timeout_s: int = 10
    log: Path = Path("build/serving/triton.log")
    instances: int | None = None
    samples: Path | None = None


@dataclass(frozen=True)
class Endpoint:
    """Where a running server listens and what it serves."""

    grpc: str
    http: str
    metrics: str
    profile: str
    release: str
    models: tuple[str, ...]
    pid: int

    def to_json(self) -> str:
        """Return it as one JSON object."""
        return json.dumps(asdict(self), indent=2)


class Server:
    """A context manager around one tritonserver process."""

    def __init__(self, options: Options) -> None:
        self.options = options
        self._process: subprocess.Popen[bytes] | None = None
        self._folder: Path | None = None
        self.endpoint: Endpoint | None = None

    def start(self, on_wait: Callable[[float], None] = lambda _: None) -> Endpoint:
        """Check everything, start Triton and return its endpoint once every model is ready.

        Args:
            on_wait: called with the seconds waited so far, about ten times a second.

        Raises:
            PreflightError: something is wrong that is known before the start.
            StartError: Triton exited or was not ready in time; the message ends with its own last words.
        """
        models, release = self._preflight()
        ports = self._ports()
        self._open_log()
        self._folder = Path(tempfile.mkdtemp(prefix="fovea-serving-"))
        self._process = self._spawn(self._folder, ports)
        http, grpc, metrics = (f"127.0.0.1:{port}" for port in ports)
        self.endpoint = Endpoint(grpc, http, metrics, self.options.profile, release, tuple(models), self._process.pid)
        self._await_ready(self.endpoint, on_wait)
        return self.endpoint

    def poll(self) -> int | None:
        """Return Triton's exit status if it ended, else None."""
        return self._process.poll() if self._process else None

    def stop(self) -> None:
        """End Triton and its Python stubs; gracefully while its time lasts, then by force. Idempotent."""
        if self._process is not None:
            self._terminate(self._process)
            self._process = None
        if self._folder is not None:
            _remove_shared_memory(self._folder.name)
            shutil.rmtree(self._folder, ignore_errors=True)
            self._folder = None

    def __enter__(self) -> "Server":
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def last_words(self, lines: int = 5) -> str:
        """Return the last errors in Triton's log, or its last lines if it names none."""
        text = self.options.log.read_text(errors="replace").splitlines() if self.options.log.exists() else []
        errors = [line.partition("] ")[2] or line for line in text if line.startswith("E") or "error" in line.lower()]
        return "\n".join((errors or text)[-lines:])

    def _preflight(self) -> tuple[list[str], str]:
        runtime.check_numpy()
        runtime.check_libpython()
        runtime.server_folder()
        return check_repository(self.options.repository, self.options.profile)

    def _open_log(self) -> None:
        """Empty the log; last of the checks, because another server may be writing to it."""
        try:
            self.options.log.parent.mkdir(parents=True, exist_ok=True)
            self.options.log.write_text("")
        except OSError as error:
            raise PreflightError(
                f"the log {self.options.log} cannot be written: {error}; name another --log"
            ) from error

    def _ports(self) -> list[int]:
        asked = [self.options.http_port, self.options.grpc_port, self.options.metrics_port]
        named = [port for port in asked if port]
        if len(set(named)) != len(named):
            raise PreflightError(f"the ports {named} must differ from each other")
        for port in named:
            runtime.check_port(port)
        free = iter(runtime.free_ports(len(asked)))
        return [port or next(free) for port in asked]

    def _spawn(self, folder: Path, ports: list[int]) -> subprocess.Popen[bytes]:
        binary = runtime.server_folder() / "bin" / "tritonserver"
        backends = runtime.build_backends(folder)
        repository = self._repository_in(folder)
        with self.options.log.open("wb") as log:
            return subprocess.Popen(
                [str(binary), *_flags(self.options, repository, backends, ports)],
                env=_environment(self.options),
                stdout=log,
                stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL,
                start_new_session=True,  # Ctrl-C is ours to handle; its process group is ours to end
                preexec_fn=_die_with_parent,  # noqa: PLW1509 - one prctl call, no lock is taken
            )

    def _repository_in(self, folder: Path) -> Path:
        # Triton starts its stubs through a shell, unquoted: a blank or a quote in the path would break the command.
        options = self.options
        if options.instances is not None:
            return linked_repository(options.repository, folder, profile=options.profile, instances=options.instances)
        repository = folder / "repository"
        repository.symlink_to(options.repository.resolve())
        return repository

    def _await_ready(self, endpoint: Endpoint, on_wait: Callable[[float], None]) -> None:
        started = time.monotonic()
        while (waited_s := time.monotonic() - started) < self.options.start_timeout_s:
            if self.poll() is not None:
                raise StartError(f"Triton ended with status {self.poll()} while loading:\n{self.last_words()}")
            if _is_ready(endpoint):
                return
            on_wait(waited_s)
            time.sleep(_POLL_S)
        raise StartError(
            f"Triton was not ready after {self.options.start_timeout_s:g} s; its log is {self.options.log}:\n"
            f"{self.last_words()}"
        )

    def _terminate(self, process: subprocess.Popen[bytes]) -> None:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
            try:
                # Triton's own limit, and some time to unload the models.
                process.wait(self.options.exit_timeout_s + 10)
            except subprocess.TimeoutExpired:
                pass
        # The stubs share the process group; one whose server was killed is ended here.
        try:
            os.killpg(process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        process.wait()


def _environment(options: Options) -> dict[str, str]:
    """Return Triton's variables; a folder of samples in ours is not an order to keep any."""
    found = {name: value for name, value in runtime.environment().items() if name != _SAMPLES}
    return found | ({_SAMPLES: str(options.samples.resolve())} if options.samples else {})


def _flags(options: Options, repository: Path, backends: Path, ports: list[int]) -> list[str]:
    http, grpc, metrics = ports
    flags = [
        f"--model-repository={repository}",
        f"--backend-directory={backends}",
        "--model-control-mode=none",
        "--disable-auto-complete-config",  # what is served is what the files say
        "--exit-on-error=true",
        "--strict-readiness=true",
        f"--exit-timeout-secs={options.exit_timeout_s}",
        "--http-address=127.0.0.1",
        f"--http-port={http}",
        "--grpc-address=127.0.0.1",
        f"--grpc-port={grpc}",
        "--metrics-address=127.0.0.1",
        f"--metrics-port={metrics}",
        f"--backend-config=python,shm-region-prefix-name={backends.parent.name}",
        # A picture and its mask are some megabytes: one allocation instead of many small growths.
        "--backend-config=python,shm-default-byte-size=16777216",
    ]
    if options.profile != "default":
        flags.append(f"--model-config-name={options.profile}")
    return flags


def _is_ready(endpoint: Endpoint) -> bool:
    """Whether the server on that port is ready and serves our models (another program may have taken the port)."""
    try:
        _request(endpoint.http, "GET", "/v2/health/ready")
        index = json.loads(_request(endpoint.http, "POST", "/v2/repository/index"))
    except (OSError, ValueError):
        return False
    return {model["name"] for model in index if model.get("state") == "READY"} == set(endpoint.models)


def _request(address: str, method: str, path: str) -> Any:
    request = urllib.request.Request(f"http://{address}{path}", method=method)
    # A proxy of the environment must not stand between us and loopback.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(request, timeout=2.0) as answer:
        return answer.read()


def _die_with_parent() -> None:
    """End the server if the launcher is killed, so that nothing keeps its ports."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


def _remove_shared_memory(prefix: str) -> None:
    """Remove what a killed server could not: Triton names its regions after the prefix."""
    for region in Path("/dev/shm").glob(f"{prefix}*"):  # noqa: S108 - where POSIX shared memory is
        region.unlink(missing_ok=True)
