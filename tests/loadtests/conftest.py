import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest
from load_rows import RequestRow, recording

from loadtests.arrivals import NS_PER_S
from loadtests.correctness import Samples
from loadtests.drive import Drive
from loadtests.endpoint import Endpoint
from loadtests.load import Load
from loadtests.measurements import NS_PER_MS, measure_drive
from loadtests.result import RunResult
from loadtests.server_phases import Phases, ServerPhases
from loadtests.settings import RunSettings
from loadtests.slo import LoadProfile, Objectives, Slo
from loadtests.verdict import judge

FAKE_SERVER = Path(__file__).with_name("fake_server.py")
SLO = Slo(
    load=LoadProfile(rate_rps=10, duration_s=20, warm_up_s=2, arrivals="constant"),
    objectives=Objectives(
        latency_ms={"p50": 500, "p95": 1000, "p99": 1500},
        error_ratio=0.0,
        achieved_rate_ratio=0.9,
        correct_ratio=1.0,
        generator_lag_p99_ms=50,
        generator_cpu_ratio=0.9,
    ),
)
# A tenth of the time waits, most of it infers.
PHASES = Phases(200, 9_000, 1_000, 60_000, 2_000, 72_000)
SERVER = ServerPhases(PHASES, {"vessels_preprocess": PHASES, "vessels_network": PHASES, "vessels_postprocess": PHASES})
WARM_UP_S, DURATION_S, RATE_RPS = 2.0, 20.0, 10.0

MakeRows = Callable[..., list[RequestRow]]
MakeResult = Callable[..., RunResult]


@pytest.fixture
def make_rows() -> MakeRows:
    """Rows at RATE_RPS over warm-up and measured time; `latencies_ms` and `errors` repeat to fill them."""

    def make(
        latencies_ms: Sequence[float] = (100,), errors: Sequence[str | None] = (None,), lag_ms: float = 1
    ) -> list[RequestRow]:
        rows = []
        for index in range(round((WARM_UP_S + DURATION_S) * RATE_RPS)):
            due_ns = round(index / RATE_RPS * NS_PER_S)
            done_ns = due_ns + round(latencies_ms[index % len(latencies_ms)] * NS_PER_MS)
            sent_ns = due_ns + round(lag_ms * NS_PER_MS)
            rows.append(RequestRow(index, due_ns, sent_ns, done_ns, errors[index % len(errors)]))
        return rows

    return make


@pytest.fixture
def make_result(tmp_path: Path) -> MakeResult:
    load = Load((str(tmp_path),), RATE_RPS, DURATION_S, WARM_UP_S, arrivals="constant")
    settings = RunSettings(Endpoint("host:8001", "vessels"), load, tmp_path, tmp_path / "slo.yaml", profile="cpu")

    def make(
        rows: Sequence[RequestRow],
        *,
        agreements: Sequence[float] = (1.0,),
        cpu_ratio: float | None = 0.2,
        server: ServerPhases | None = None,
        slo: Slo = SLO,
    ) -> RunResult:
        due_ns = np.array([row.intended_ns for row in rows], dtype=np.int64)
        driven = Drive(load, due_ns, recording(rows), cpu_ratio, (), server)
        # Compared are the last of the measured ones.
        compared = np.array([row.index for row in rows][-len(agreements) :] if agreements else [], np.int64)
        samples = Samples(compared, np.array(agreements[: compared.size], np.float64))
        measured = measure_drive(driven, slo, samples)
        verdict = judge(measured, slo.objectives)
        return RunResult(settings, "2026-01-02T03:04:05+00:00", 3, driven, slo, measured, verdict)

    return make


@pytest.fixture
def server_phases() -> ServerPhases:
    return SERVER


class StartedServer:
    """A fake server's process; `url` is where it listens."""

    def __init__(self, *flags: str) -> None:
        self.process = subprocess.Popen([sys.executable, FAKE_SERVER, *flags], stdout=subprocess.PIPE, text=True)
        assert self.process.stdout is not None
        self.url = f"127.0.0.1:{int(self.process.stdout.readline())}"

    def end(self) -> None:
        """Kill it, as a crash or a lost node would; a second call does nothing."""
        self.process.kill()
        self.process.wait()
        if self.process.stdout is not None:
            self.process.stdout.close()


@pytest.fixture
def start_server() -> Iterator[Callable[..., StartedServer]]:
    started: list[StartedServer] = []

    def start(*flags: str) -> StartedServer:
        started.append(StartedServer(*flags))
        return started[-1]

    yield start
    for server in started:
        server.end()


@pytest.fixture
def images(tmp_path: Path) -> Path:
    """A folder of two files that pass for images: the fake server decodes nothing."""
    folder = tmp_path / "images"
    folder.mkdir()
    for name in ("a.png", "b.JPG"):
        (folder / name).write_bytes(name.encode() * 1000)
    return folder
