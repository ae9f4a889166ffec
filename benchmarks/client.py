"""What does the client cost: `python -m benchmarks.client --repository <placed release>`.

An identity model and a task's model are served by one Triton and asked by the raw gRPC stub, tritonclient and
fovea_client, each with and without asyncio. Every round asks each of them once, in an order of its own, so that
whatever else the machine does meets all alike: only ratios and differences between them mean something. Then the
asynchronous ones are kept at many requests in flight, again by turns.
"""

import argparse
import asyncio
import io
import json
import os
import platform
import shutil
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from importlib.metadata import version
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image
from rich.console import Console
from rich.table import Table

from benchmarks.contenders import FOVEA, FOVEA_AIO, RAW_AIO, TRITON, TRITON_AIO, Contender, Question, contenders
from serving.errors import ServingError
from serving.server import Options, Server
from tasks.checksums import write_checksums
from training.synthetic import generate_fundus

IDENTITY = Path(__file__).parent / "model_repository" / "identity"
TASK_BAR, IDENTITY_BAR_US, THROUGHPUT_BAR = 1.05, 60.0, 0.95
_WARM_UP_ROUNDS = 10
_RESAMPLES = 500


@dataclass(frozen=True)
class Latency:
    """One contender's time for a call, and the same beyond tritonclient's (with asyncio: beyond its asynchronous one).

    Attributes:
        model, name: what was asked, and by whom.
        p50_us, p95_us: microseconds from the arguments to the arrays.
        p50_ratio, p95_ratio: to tritonclient's.
        p50_beyond_us, p95_beyond_us: minus tritonclient's.
        p50_beyond_interval_us: where 95 % of resampled rounds put `p50_beyond_us`.
    """

    model: str
    name: str
    p50_us: float
    p95_us: float
    p50_ratio: float
    p95_ratio: float
    p50_beyond_us: float
    p95_beyond_us: float
    p50_beyond_interval_us: tuple[float, float]


@dataclass(frozen=True)
class Throughput:
    """One contender with many requests in flight.

    Attributes:
        model, name: what was asked, and by whom.
        per_second: answers, median of the turns.
        ratio: of `per_second` to the raw stub's.
        ratio_interval: where 95 % of resampled turns put `ratio`.
        cpu_us: this process's CPU time for a call, median of the turns; tells the client's cost from the server's.
    """

    model: str
    name: str
    per_second: float
    ratio: float
    ratio_interval: tuple[float, float]
    cpu_us: float


@dataclass(frozen=True)
class Bar:
    """What was promised, what was measured, and whether that keeps it."""

    promise: str
    measured: float
    met: bool


async def alternate(ways: Sequence[Contender], rounds: int, seed: int = 0) -> dict[str, npt.NDArray[np.float64]]:
    """Return microseconds by contender, one a round; every round asks each once, in an order of its own."""
    order = np.random.default_rng(seed)
    times: dict[str, list[float]] = {way.name: [] for way in ways}
    for _ in range(rounds + _WARM_UP_ROUNDS):
        for index in order.permutation(len(ways)):
            way = ways[index]
            started_s = time.perf_counter()
            await way.answer()
            times[way.name].append((time.perf_counter() - started_s) * 1e6)
    return {name: np.array(values[_WARM_UP_ROUNDS:]) for name, values in times.items()}


def summarise(model: str, times_us: Mapping[str, npt.NDArray[np.float64]]) -> list[Latency]:
    """Return each contender's percentiles beside those of the tritonclient of its kind."""
    return [_latency(model, name, times, times_us[_peer(name)]) for name, times in times_us.items()]


def _peer(name: str) -> str:
    return TRITON_AIO if name.endswith("asyncio") else TRITON


def _latency(model: str, name: str, times_us: npt.NDArray[np.float64], peer_us: npt.NDArray[np.float64]) -> Latency:
    (p50, p95), (peer_p50, peer_p95) = (np.percentile(each, (50, 95)) for each in (times_us, peer_us))
    rounds = np.random.default_rng(0).integers(0, len(times_us), (_RESAMPLES, len(times_us)))
    beyond_us = np.median(times_us[rounds], axis=1) - np.median(peer_us[rounds], axis=1)
    low, high = np.percentile(beyond_us, (2.5, 97.5))
    return Latency(
        model,
        name,
        float(p50),
        float(p95),
        float(p50 / peer_p50),
        float(p95 / peer_p95),
        float(p50 - peer_p50),
        float(p95 - peer_p95),
        (float(low), float(high)),
    )


async def saturate(
    model: str, ways: Sequence[Contender], *, in_flight: int, calls: int, turns: int, seed: int = 0
) -> list[Throughput]:
    """Return each contender's answers a second, each turn in an order of its own; the first contender is 1.0."""
    order = np.random.default_rng(seed)
    measured: dict[str, list[tuple[float, float]]] = {way.name: [] for way in ways}
    for _ in range(turns + 1):
        for index in order.permutation(len(ways)):
            measured[ways[index].name].append(await _turn(ways[index], in_flight, calls))
    # The first turn opens connections and fills caches.
    figures = {name: np.array(values[1:]) for name, values in measured.items()}
    first = figures[ways[0].name][:, 0]
    return [_throughput(model, name, values, first) for name, values in figures.items()]


def _throughput(model: str, name: str, turns: npt.NDArray[np.float64], first: npt.NDArray[np.float64]) -> Throughput:
    picked = np.random.default_rng(0).integers(0, len(first), (_RESAMPLES, len(first)))
    ratios = np.median(turns[:, 0][picked], axis=1) / np.median(first[picked], axis=1)
    low, high = np.percentile(ratios, (2.5, 97.5))
    rate, cpu_us = np.median(turns, axis=0)
    return Throughput(
        model, name, float(rate), float(rate / np.median(first)), (float(low), float(high)), float(cpu_us)
    )


async def _turn(way: Contender, in_flight: int, calls: int) -> tuple[float, float]:
    """Return answers a second and microseconds of CPU time for each."""
    left = iter(range(calls))

    async def work() -> None:
        for _ in left:
            await way.answer()

    started_s, cpu_s = time.perf_counter(), time.process_time()
    await asyncio.gather(*(work() for _ in range(in_flight)))
    return calls / (time.perf_counter() - started_s), (time.process_time() - cpu_s) / calls * 1e6


def judge(latencies: Sequence[Latency], throughputs: Sequence[Throughput], task: str) -> list[Bar]:
    """Return what the client promises beside what was measured."""
    ours = {row.model: row for row in latencies if row.name == FOVEA}
    ratio, beyond_us = ours[task].p50_ratio, ours["identity"].p50_beyond_us
    share = next(row.ratio for row in throughputs if (row.model, row.name) == ("identity", FOVEA_AIO))
    return [
        Bar(f"p50 on {task} ≤ {TASK_BAR} × tritonclient's", ratio, ratio <= TASK_BAR),
        Bar(f"p50 on identity ≤ {IDENTITY_BAR_US:g} µs beyond tritonclient's", beyond_us, beyond_us <= IDENTITY_BAR_US),
        Bar(f"asyncio throughput ≥ {THROUGHPUT_BAR} × the raw stub's", share, share >= THROUGHPUT_BAR),
    ]


async def measure(address: str, options: argparse.Namespace) -> tuple[list[Latency], list[Throughput]]:
    """Ask the server at `address` as the options say; return the latencies and the throughputs."""
    latencies: list[Latency] = []
    for question, rounds in (
        (Question.identity(), options.rounds),
        (photograph(options.task), options.task_rounds),
    ):
        async with contenders(address, question) as ways:
            latencies += summarise(question.model, await alternate(list(ways.values()), rounds))
    async with contenders(address, Question.identity()) as ways:
        # The raw stub against itself shows what the machine's noise makes of two that are equal.
        again = replace(ways[RAW_AIO], name=f"{RAW_AIO}, again")
        kinds = [ways[RAW_AIO], again, ways[TRITON_AIO], ways[FOVEA_AIO]]
        throughputs = await saturate(
            "identity", kinds, in_flight=options.in_flight, calls=options.calls, turns=options.turns
        )
    return latencies, throughputs


def photograph(task: str) -> Question:
    """Return the question that a drawn photograph of a retina is."""
    buffer = io.BytesIO()
    Image.fromarray(generate_fundus(0, size_px=576).image).save(buffer, "JPEG", quality=90)
    return Question.segmentation(task, buffer.getvalue())


def assemble(repository: Path, task: str, folder: Path) -> Path:
    """Return `folder`, now a release of the task's models and of the identity model.

    Raises:
        ServingError: the release has no such task.
    """
    models = sorted(path.parent for path in repository.glob(f"{task}*/config.pbtxt"))
    if task not in {model.name for model in models}:
        raise ServingError(f"{repository} holds no model {task!r}; place it with `python -m export`")
    for model in [*models, IDENTITY]:
        shutil.copytree(model, folder / model.name, ignore=shutil.ignore_patterns("__pycache__"))
    write_checksums(folder)
    return folder


def machine() -> dict[str, str]:
    """Say what was measured on: processor, how busy it is, versions."""
    model = next(
        (line.partition(":")[2].strip() for line in _lines("/proc/cpuinfo") if line.startswith("model name")),
        platform.processor(),
    )
    load = ", ".join(f"{value:.1f}" for value in os.getloadavg())
    versions = {name: version(name) for name in ("grpcio", "tritonclient", "protobuf", "numpy")}
    return {"cpu": f"{os.cpu_count()} × {model}", "load": load, "python": platform.python_version()} | versions


def _lines(path: str) -> list[str]:
    try:
        return Path(path).read_text().splitlines()
    except OSError:
        return []


def _latency_table(rows: Sequence[Latency]) -> Table:
    table = Table(title="time for a call, beside tritonclient's of the same kind")
    for column in (
        "model",
        "client",
        "p50 µs",
        "ratio",
        "beyond µs",
        "95 % of resamples",
        "p95 µs",
        "ratio",
        "beyond µs",
    ):
        table.add_column(column, justify="left" if column in ("model", "client") else "right")
    for row in rows:
        low, high = row.p50_beyond_interval_us
        p50 = (
            f"{row.p50_us:,.0f}",
            f"{row.p50_ratio:.3f}",
            f"{row.p50_beyond_us:+,.0f}",
            f"{low:+,.0f} to {high:+,.0f}",
        )
        p95 = (f"{row.p95_us:,.0f}", f"{row.p95_ratio:.3f}", f"{row.p95_beyond_us:+,.0f}")
        table.add_row(row.model, row.name, *p50, *p95)
    return table


def _throughput_table(rows: Sequence[Throughput], in_flight: int) -> Table:
    table = Table(title=f"answers a second, {in_flight} requests in flight")
    for column in ("model", "client", "per second", "to the raw stub", "95 % of resamples", "CPU µs a call"):
        table.add_column(column, justify="left" if column in ("model", "client") else "right")
    for row in rows:
        low, high = row.ratio_interval
        figures = (f"{row.per_second:,.0f}", f"{row.ratio:.3f}", f"{low:.3f} to {high:.3f}", f"{row.cpu_us:,.0f}")
        table.add_row(row.model, row.name, *figures)
    return table


def _run(options: argparse.Namespace, console: Console) -> dict[str, object]:
    """Serve, measure, print and return what is saved."""
    with tempfile.TemporaryDirectory(prefix="fovea-benchmark-") as folder:
        release = assemble(options.repository, options.task, Path(folder) / "release")
        with Server(Options(release, profile=options.profile, log=Path(folder) / "triton.log")) as server:
            with console.status("loading models"):
                endpoint = server.start()
            with console.status("measuring"):
                before = machine()
                latencies, throughputs = asyncio.run(measure(endpoint.grpc, options))
    bars = judge(latencies, throughputs, options.task)
    console.print(_latency_table(latencies), _throughput_table(throughputs, options.in_flight), sep="\n")
    for bar in bars:
        console.print(f"{'met   ' if bar.met else 'MISSED'}  {bar.promise}: {bar.measured:.3f}")
    console.print("measured on", ", ".join(f"{key} {value}" for key, value in before.items()))
    return {
        "machine": before,
        "latency": [asdict(row) for row in latencies],
        "throughput": [asdict(row) for row in throughputs],
        "bars": [asdict(bar) for bar in bars],
    }


def main(arguments: list[str] | None = None) -> int:
    """Measure, print and save; return 0, or 1 if the release cannot be served."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.client", formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    parser.add_argument("--repository", type=Path, default=Path("build/model_repository"), help="a placed release")
    parser.add_argument("--profile", default="default")
    parser.add_argument("--task", default="vessels", help="the segmenting task to ask")
    parser.add_argument("--rounds", type=int, default=3000, help="calls of each client to the identity model")
    parser.add_argument("--task-rounds", type=int, default=100, help="calls of each client to the task's model")
    parser.add_argument("--in-flight", type=int, default=64)
    parser.add_argument("--calls", type=int, default=500, help="calls of a turn at that many in flight")
    parser.add_argument("--turns", type=int, default=120)
    parser.add_argument("--out", type=Path, default=Path("build/benchmarks/client.json"))
    options = parser.parse_args(arguments)
    console = Console(highlight=False, soft_wrap=True, width=None if sys.stdout.isatty() else 140)
    try:
        saved = _run(options, console)
    except ServingError as error:
        console.print(f"error: {error}", style="red", markup=False)
        return 1
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_text(json.dumps(saved, indent=2) + "\n")
    console.print(f"{options.out} written")
    return 0


if __name__ == "__main__":
    sys.exit(main())
