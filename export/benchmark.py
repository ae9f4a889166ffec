"""How fast is each artefact on a CPU, and how large: `python -m export benchmark [key=value …]`.

Every artefact that `export` left is run under every runtime that reads it, one picture at a time, in one alternating
run: whatever else the machine does meets all of them alike. So only ratios mean something, and those to FP32 ONNX under
ONNX Runtime at equal threads are what the table says.
"""

import json
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import IO, cast

import numpy as np
from rich.table import Table

from export.config import merged
from export.errors import ExportError
from export.formats import FORMATS
from tasks import TASKS, get_task

# Runtime → the formats that it reads.
READS = {
    "torchscript": ("torchscript",),
    "onnxruntime": ("onnx", "onnx_fp16", "onnx_int8"),
    "openvino": ("onnx", "onnx_fp16", "onnx_int8", "openvino"),
}
YARDSTICK = ("onnxruntime", "onnx")


@dataclass
class BenchmarkConfig:
    """What is measured.

    Attributes:
        task: whose artefacts.
        model: the trained network, run as it is for comparison; left out if null.
        work: where `export` wrote and measured artefacts.
        threads: numbers of threads, each a run of its own.
        rounds: how often each contender runs the picture.
        out: folder for `benchmark.json` and `benchmark.md`.
    """

    task: str = "vessels"
    model: str | None = None
    work: str = "build/export"
    threads: list[int] = field(default_factory=lambda: [1, 2])
    rounds: int = 40
    out: str = "build/benchmark"


@dataclass(frozen=True)
class Measured:
    """A contender's figures at a number of threads.

    Attributes:
        runtime, format: what ran what.
        threads: that it might use.
        p50_ms, p95_ms: latency of one picture, on this machine.
        times_as_fast: median latency of the yardstick / of this one.
        model_bytes: of the artefact's files; of the weights for PyTorch.
        peak_rss_bytes: of the process that did nothing else.
    """

    runtime: str
    format: str
    threads: int
    p50_ms: float
    p95_ms: float
    times_as_fast: float
    model_bytes: int
    peak_rss_bytes: int


def load_benchmark_config(words: Sequence[str]) -> BenchmarkConfig:
    """Return the configuration with the overrides.

    Raises:
        ExportError: a key that does not exist, a value of the wrong type or that makes no sense.
    """
    config = merged(words, BenchmarkConfig)
    if config.task not in TASKS:
        raise ExportError(f"task={config.task} must be one of {', '.join(TASKS)}")
    if config.rounds < 1 or not config.threads or min(config.threads) < 1:
        raise ExportError(f"rounds={config.rounds} and threads={config.threads} must be positive")
    return config


def benchmark(config: BenchmarkConfig, say: Callable[[str], None]) -> list[Measured]:
    """Measure every artefact in `<work>/<task>`, write the results and return them.

    Raises:
        ExportError: there is no FP32 ONNX to compare with, or a contender cannot run.
    """
    folder = Path(config.work) / config.task
    contenders = [
        (runtime, name, folder / FORMATS[name].file_name)
        for runtime, names in READS.items()
        for name in names
        if (folder / FORMATS[name].file_name).is_file()
    ]
    if YARDSTICK not in [(runtime, name) for runtime, name, _ in contenders]:
        raise ExportError(f"there is no exported {FORMATS['onnx'].file_name} in {folder}; export the task first")
    if config.model is not None:
        contenders.insert(0, ("pytorch", "eager", Path(config.model)))
    size_px = get_task(config.task).size_px
    measured = [row for threads in config.threads for row in _run(contenders, threads, config.rounds, size_px, say)]
    _keep(measured, Path(config.out) / config.task)
    return measured


def table_of(measured: Sequence[Measured], task: str) -> Table:
    """Return the results for people."""
    table = Table(title=f"{task}: one picture at a time; ratios to FP32 ONNX under ONNX Runtime at equal threads")
    for column in _COLUMNS:
        named = column in _COLUMNS[:2]
        table.add_column(column, justify="left" if named else "right", no_wrap=named)
    for row in measured:
        table.add_row(*_cells(row))
    return table


_COLUMNS = ("runtime", "format", "threads", "p50 ms", "p95 ms", "times as fast", "file MB", "peak RSS MB")


def _cells(row: Measured) -> tuple[str, ...]:
    latency = (f"{row.p50_ms:.1f}", f"{row.p95_ms:.1f}", f"{row.times_as_fast:.2f}")
    return (
        row.runtime,
        row.format,
        str(row.threads),
        *latency,
        f"{row.model_bytes / 1e6:.2f}",
        f"{row.peak_rss_bytes / 1e6:.0f}",
    )


def _run(
    contenders: Sequence[tuple[str, str, Path]], threads: int, rounds: int, size_px: int, say: Callable[[str], None]
) -> list[Measured]:
    with ExitStack() as stack:
        asked = []
        for runtime, name, path in contenders:
            say(f"loading {name} under {runtime}, {threads} threads …")
            asked.append(stack.enter_context(_Contender(runtime, path, threads, size_px)))
        say(f"running {len(asked)} contenders in turn, {rounds} rounds …")
        seconds = [[each.run_s() for each in asked] for _ in range(rounds)]
        peaks = [each.peak_bytes() for each in asked]
    times_ms = np.array(seconds).T * 1000
    yardstick = next(place for place, each in enumerate(contenders) if each[:2] == YARDSTICK)
    base_ms = float(np.median(times_ms[yardstick]))
    return [
        Measured(
            runtime,
            name,
            threads,
            float(np.median(times)),
            float(np.quantile(times, 0.95)),
            base_ms / float(np.median(times)),
            _bytes(path, name),
            peak,
        )
        for (runtime, name, path), times, peak in zip(contenders, times_ms, peaks, strict=True)
    ]


class _Contender:
    """A process that runs one artefact when it is asked."""

    def __init__(self, runtime: str, path: Path, threads: int, size_px: int) -> None:
        self.errors = tempfile.TemporaryFile("w+")  # noqa: SIM115 - closed with the process
        self.what = f"{path} under {runtime}"
        command = [
            sys.executable,
            "-W",
            "ignore",
            "-m",
            "export.contender",
            runtime,
            str(path),
            str(threads),
            str(size_px),
        ]
        self.process = subprocess.Popen(
            command,
            text=True,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self.errors,
        )

    def __enter__(self) -> "_Contender":
        if self._answer() != "ready":
            self.__exit__()
            raise ExportError(f"{self.what} cannot run")
        return self

    def run_s(self) -> float:
        """Return how long one picture took."""
        self._ask("run")
        return float(self._answer())

    def peak_bytes(self) -> int:
        """Return its peak memory; it ends."""
        self._ask("end")
        return int(self._answer())

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.communicate()
        self.errors.close()

    def _ask(self, word: str) -> None:
        try:
            cast(IO[str], self.process.stdin).write(f"{word}\n")
            cast(IO[str], self.process.stdin).flush()
        except OSError:  # it died; the answer that does not come tells why
            pass

    def _answer(self) -> str:
        line = cast(IO[str], self.process.stdout).readline().strip()
        if not line:
            self.process.wait()
            self.errors.seek(0)
            said = (self.errors.read().strip().splitlines() or ["it ended without a word"])[-1]
            raise ExportError(f"{self.what} cannot run: {said}")
        return line


def _bytes(path: Path, name: str) -> int:
    if name == "eager":
        folder = path if path.is_dir() else path.parent
        return sum(
            each.stat().st_size
            for each in folder.glob("model.safetensors" if path.is_dir() else f"{path.name}.safetensors")
        )
    return sum(path.with_name(each).stat().st_size for each in (path.name, *FORMATS[name].companions))


def _keep(measured: Sequence[Measured], folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "benchmark.json").write_text(json.dumps([asdict(row) for row in measured], indent=2) + "\n")
        lines = ["| " + " | ".join(_COLUMNS) + " |", "|---|---|" + "---:|" * (len(_COLUMNS) - 2)]
        lines += ["| " + " | ".join(_cells(row)) + " |" for row in measured]
        (folder / "benchmark.md").write_text("\n".join(lines) + "\n")
    except OSError as error:
        raise ExportError(
            f"the results cannot be written to {folder} ({error}); name another folder with out="
        ) from error
