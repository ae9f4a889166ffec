"""Which services make the stack, and the command line of each. Our own are started by their front doors."""

import shutil
import sys
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from pipelines.errors import PipelineError
from pipelines.stack.process import Service

NAMES = ("triton", "mlflow", "exporter", "prometheus", "dashboard")
OPTIONAL = NAMES[1:]
_APP = Path(__file__).parents[2] / "clients" / "dashboard" / "app.py"
# Debian's name first, then the one of Prometheus' own archives.
_PROGRAMS = {"prometheus": ("prometheus",), "exporter": ("prometheus-node-exporter", "node_exporter")}


@dataclass(frozen=True)
class StackOptions:
    """What is started, and on what.

    Attributes:
        build: where the release is and everything is written.
        profile: serving profile.
        samples: pictures that the dashboard offers; None for those that were drawn, if any were.
        ports: asked for, by the names in `ports.USUAL`; 0 for any free one.
        without: of `OPTIONAL`, those that are left out.
        start_timeout_s: how long it may take until every service answers.
    """

    build: Path = Path("build")
    profile: str = "default"
    samples: Path | None = None
    ports: Mapping[str, int] = field(default_factory=dict)
    without: frozenset[str] = frozenset()
    start_timeout_s: float = 300.0

    @property
    def folder(self) -> Path:
        """Return where logs are, and what services keep."""
        return self.build / "stack"

    @property
    def metrics(self) -> Path:
        """Return where `*.prom` files lie that Prometheus is to see."""
        return self.build / "metrics"


def programs(without: frozenset[str]) -> dict[str, str]:
    """Return the path of every program that is not ours.

    Raises:
        PipelineError: one is missing.
    """
    return {name: _program(name) for name in _PROGRAMS if name not in without}


def _program(name: str) -> str:
    for word in _PROGRAMS[name]:
        if found := shutil.which(word):
            return found
    raise PipelineError(
        f"{_PROGRAMS[name][0]} is not here: install Debian's packages prometheus and prometheus-node-exporter, "
        f"or leave it out with --without {name}"
    )


def services(options: StackOptions, ports: Mapping[str, int], found: Mapping[str, str]) -> list[Service]:
    """Return what is to be started, in this order; ended in the opposite one."""
    made = {
        "triton": lambda: _triton(options, ports),
        "mlflow": lambda: _mlflow(options, ports["mlflow"]),
        "exporter": lambda: _exporter(options, ports["exporter"], found["exporter"]),
        "prometheus": lambda: _prometheus(options, ports["prometheus"], found["prometheus"]),
        "dashboard": lambda: _dashboard(options, ports),
    }
    return [made[name]() for name in NAMES if name not in options.without]


def _triton(options: StackOptions, ports: Mapping[str, int]) -> Service:
    endpoint = options.folder / "endpoint.json"
    endpoint.unlink(missing_ok=True)
    words = ["--repository", options.build / "model_repository", "--profile", options.profile]
    words += ["--endpoint-file", endpoint, "--log", options.folder / "tritonserver.log"]
    words += ["--start-timeout-s", options.start_timeout_s]
    for name in ("http", "grpc", "metrics"):
        words += [f"--{name}-port", ports[name]]
    about = f"gRPC; HTTP on port {ports['http']}, metrics on port {ports['metrics']}"
    return Service("triton", _python("serving", *words), endpoint.exists, _address(ports["grpc"]), about)


def _mlflow(options: StackOptions, port: int) -> Service:
    # What training writes to where nobody says otherwise.
    store = ["--backend-store-uri", f"sqlite:///{options.build.resolve() / 'mlflow.db'}"]
    store += ["--artifacts-destination", str(options.build.resolve() / "mlartifacts")]
    words = ["server", "--host", "127.0.0.1", "--port", port, "--workers", "1", *store]
    quiet = {"MLFLOW_DISABLE_TELEMETRY": "true", "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
    return _web("mlflow", _python("mlflow", *words), port, "/health", "training runs and the registry", quiet)


def _exporter(options: StackOptions, port: int, program: str) -> Service:
    words = [f"--web.listen-address={_address(port)}", "--web.disable-exporter-metrics"]
    words += ["--collector.disable-defaults", "--collector.textfile"]
    words += [f"--collector.textfile.directory={options.metrics.resolve()}"]
    return _web("exporter", (program, *words), port, "/metrics", f"what lies in {options.metrics}: drift")


def _prometheus(options: StackOptions, port: int, program: str) -> Service:
    folder = options.folder / "prometheus"
    words = [f"--config.file={folder / 'prometheus.yaml'}", f"--storage.tsdb.path={folder / 'data'}"]
    words += [f"--web.listen-address={_address(port)}"]
    return _web("prometheus", (program, *words), port, "/-/ready", "metrics, rules and alerts")


def _dashboard(options: StackOptions, ports: Mapping[str, int]) -> Service:
    drawn = options.build / "data" / "synthetic" / "images"
    folders = {"samples": options.samples or drawn, "gallery": options.build / "evaluation"}
    words = ["run", _APP, "--server.address", "127.0.0.1", "--server.port", ports["dashboard"]]
    words += ["--", "--url", _address(ports["grpc"])]
    words += ["--drift", options.build / "drift"]
    for name, folder in folders.items():
        words += [f"--{name}", folder] if folder.is_dir() else []
    command = _python("streamlit", *words)
    return _web("dashboard", command, ports["dashboard"], "/_stcore/health", "upload a picture here")


def _web(
    name: str, command: tuple[str, ...], port: int, path: str, about: str, environment: Mapping[str, str] | None = None
) -> Service:
    url = f"http://{_address(port)}"
    return Service(name, command, _answers(url + path), url, about, environment or {})


def _answers(url: str) -> Callable[[], bool]:
    # A proxy of the environment must not stand between us and loopback.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))

    def ready() -> bool:
        try:
            with opener.open(url, timeout=2.0) as answer:
                return bool(answer.status == 200)
        except OSError:
            return False

    return ready


def _python(module: str, *words: object) -> tuple[str, ...]:
    return (sys.executable, "-m", module, *map(str, words))


def _address(port: int) -> str:
    return f"127.0.0.1:{port}"
