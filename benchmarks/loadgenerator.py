"""What can the load generator keep up with, and does it agree with perf_analyzer: `python -m benchmarks.loadgenerator`.

An identity model is served by one Triton. First the generator alone asks it at rising rates: how late it is, and what
CPU time a request costs it, which a busy machine changes less than the time. Then it and NVIDIA's perf_analyzer, where
that is given, ask at one rate by turns, so that whatever else the machine does meets both alike.

perf_analyzer comes in the wheel `tritonclient==2.51.0` for manylinux1 (`*/data/bin/perf_analyzer`); it needs
libb64.so.0d and libcudart.so.12 on LD_LIBRARY_PATH, which nvidia_pytriton.libs has under longer names.
"""

import argparse
import csv
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

from benchmarks.client import IDENTITY, Bar, machine
from loadtests.arrivals import Spacing
from loadtests.drive import Drive, Endpoint, Interruption, Load, drive
from loadtests.measurements import NS_PER_MS
from serving.errors import ServingError
from serving.server import Options, Server
from tasks.checksums import write_checksums

RATE_BAR_RPS, LAG_BAR_MS = 1500.0, 5.0
AGREEMENT_RATIO, AGREEMENT_MS = 0.10, 0.3
WARM_UP_S = 1.0


@dataclass(frozen=True)
class Pace:
    """The generator at one rate.

    Attributes:
        rate_rps: that was asked for.
        achieved_rps: right answers a second of the measured time.
        lag_p50_ms, lag_p99_ms: how late requests were sent.
        latency_p50_ms, latency_p99_ms: from when they were due.
        cpu_us: this generator's CPU time for a request.
        faults: requests that got no right answer.
    """

    rate_rps: float
    achieved_rps: float
    lag_p50_ms: float
    lag_p99_ms: float
    latency_p50_ms: float
    latency_p99_ms: float
    cpu_us: float
    faults: int


@dataclass(frozen=True)
class Turn:
    """One turn of both at the same rate: milliseconds from sending to the answer, which is what perf_analyzer says."""

    ours_p50_ms: float
    ours_p99_ms: float
    theirs_p50_ms: float
    theirs_p99_ms: float


def pace(driven: Drive) -> Pace:
    """The figures of one piece of load."""
    load, measured = driven.load, driven.measured
    lag_p50, lag_p99 = np.quantile(driven.lag_ns, (0.5, 0.99)) / NS_PER_MS
    p50, p99 = np.quantile(measured.latency_ns, (0.5, 0.99)) / NS_PER_MS
    last_s = float(driven.recording.rows["finished_ns"].max()) / 1e9
    cpu_s = (driven.generator_cpu_ratio or float("nan")) * max(load.span_s, last_s)
    right = int((~measured.failed).sum())
    achieved_rps = right / max(load.duration_s, last_s - load.warm_up_s)
    cpu_us = cpu_s / len(driven.recording) * 1e6
    return Pace(
        load.rate_rps,
        achieved_rps,
        float(lag_p50),
        float(lag_p99),
        float(p50),
        float(p99),
        cpu_us,
        len(measured) - right,
    )


class PerfAnalyzer:
    """NVIDIA's load generator as a process."""

    def __init__(self, binary: Path, libraries: Path | None) -> None:
        self._binary = binary
        self._environment = {**os.environ, **({"LD_LIBRARY_PATH": str(libraries)} if libraries else {})}

    def p50_p99_ms(self, url: str, rate_rps: float, duration_s: float, folder: Path) -> tuple[float, float]:
        """Latencies at constant arrivals. Raises RuntimeError with its last words when it gives none."""
        table = folder / "perf_analyzer.csv"
        table.unlink(missing_ok=True)
        count = max(1, round(rate_rps * duration_s))
        words = ["-i", "grpc", "-u", url, "-m", "identity", "-f", str(table), "--request-count", str(count)]
        rate = ["--request-rate-range", f"{rate_rps:g}", "--request-distribution", "constant"]
        limit_s = duration_s * 10 + 60
        try:
            done = subprocess.run(
                [str(self._binary), *words, *rate, "-s", "60"],
                env=self._environment, capture_output=True, text=True, check=False, timeout=limit_s,
            )  # fmt: skip
        except subprocess.TimeoutExpired as error:
            raise RuntimeError(f"perf_analyzer came to no end at {rate_rps:g}/s within {limit_s:g} s") from error
        if not table.exists():
            raise RuntimeError("\n".join((done.stdout + done.stderr).splitlines()[-3:]))
        with table.open(newline="") as file:
            row = next(csv.DictReader(file))
        return float(row["p50 latency"]) / 1000, float(row["p99 latency"]) / 1000


class Bench:
    """The served identity model and the payload that is sent to it."""

    def __init__(self, url: str, folder: Path) -> None:
        self.folder = folder
        self.url = url
        (folder / "out").mkdir()
        payload = folder / "payload"
        payload.mkdir()
        np.save(payload / "x.npy", np.zeros((1, 16), np.float32))
        self._images = (str(payload),)

    def drive(self, rate_rps: float, duration_s: float, connections: int, arrivals: Spacing = "poisson") -> Drive:
        """The generator alone at one rate."""
        endpoint = Endpoint(self.url, "identity", connections=connections)
        load = Load(self._images, rate_rps, duration_s, WARM_UP_S, arrivals)
        return drive(endpoint, load, self.folder / "out", interruption=Interruption())


def compare(bench: Bench, analyzer: PerfAnalyzer, options: argparse.Namespace) -> list[Turn]:
    """Both at the same rate and evenly spaced, by turns, the order changing."""
    turns = []
    for number in range(options.turns):
        theirs = None
        if number % 2:
            theirs = analyzer.p50_p99_ms(bench.url, options.compare_rate, options.duration_s, bench.folder)
        rows = bench.drive(options.compare_rate, options.duration_s, 1, "constant").measured.rows
        ours = np.quantile(rows["finished_ns"] - rows["sent_ns"], (0.5, 0.99)) / NS_PER_MS
        if theirs is None:
            theirs = analyzer.p50_p99_ms(bench.url, options.compare_rate, options.duration_s, bench.folder)
        turns.append(Turn(float(ours[0]), float(ours[1]), *theirs))
    return turns


def judge(paces: Sequence[Pace], turns: Sequence[Turn]) -> list[Bar]:
    """What the generator promises beside what was measured."""
    kept = [
        each.achieved_rps for each in paces if each.lag_p99_ms < LAG_BAR_MS and each.achieved_rps > 0.99 * each.rate_rps
    ]
    fastest = max(kept, default=0.0)
    bars = [
        Bar(f"requests/s with lag p99 < {LAG_BAR_MS:g} ms ≥ {RATE_BAR_RPS:g}", fastest, fastest >= 0.99 * RATE_BAR_RPS)
    ]
    for quantile in ("p50", "p99") if turns else ():
        ours, theirs = (
            np.median([getattr(turn, f"{who}_{quantile}_ms") for turn in turns]) for who in ("ours", "theirs")
        )
        apart_ms = float(ours - theirs)
        allowed_ms = max(AGREEMENT_MS, AGREEMENT_RATIO * float(theirs))
        bars.append(
            Bar(f"{quantile} within {allowed_ms:.2f} ms of perf_analyzer's", apart_ms, abs(apart_ms) <= allowed_ms)
        )
    return bars


def _pace_table(paces: Sequence[Pace]) -> Table:
    table = Table(title="the generator alone, Poisson arrivals")
    headings = ("lag p50 ms", "lag p99 ms", "latency p50 ms", "latency p99 ms")
    columns = ("asked /s", "answered /s", *headings, "CPU µs a request", "a core's worth /s")
    for column in columns:
        table.add_column(column, justify="right")
    for each in paces:
        times = (each.lag_p50_ms, each.lag_p99_ms, each.latency_p50_ms, each.latency_p99_ms)
        rates = (f"{each.rate_rps:,.0f}", f"{each.achieved_rps:,.0f}")
        table.add_row(*rates, *(f"{time:.2f}" for time in times), f"{each.cpu_us:.0f}", f"{1e6 / each.cpu_us:,.0f}")
    return table


def _turn_table(turns: Sequence[Turn], rate_rps: float) -> Table:
    table = Table(title=f"beside perf_analyzer, {rate_rps:,.0f} evenly spaced requests/s, by turns")
    for column in ("p50 ms", "perf_analyzer", "p99 ms", "perf_analyzer"):
        table.add_column(column, justify="right")
    for turn in turns:
        figures = (turn.ours_p50_ms, turn.theirs_p50_ms, turn.ours_p99_ms, turn.theirs_p99_ms)
        table.add_row(*(f"{figure:.2f}" for figure in figures))
    return table


def _measure(options: argparse.Namespace, console: Console, folder: Path) -> dict[str, object]:
    release = folder / "release"
    shutil.copytree(IDENTITY, release / "identity", ignore=shutil.ignore_patterns("__pycache__"))
    write_checksums(release)
    with Server(Options(release, log=folder / "triton.log")) as server:
        with console.status("loading the model"):
            bench = Bench(server.start().grpc, folder)
        before = machine()
        with console.status("measuring"):
            paces = [pace(bench.drive(rate, options.duration_s, options.connections)) for rate in options.rates]
            turns = (
                compare(bench, PerfAnalyzer(options.perf_analyzer, options.libraries), options)
                if options.perf_analyzer
                else []
            )
    bars = judge(paces, turns)
    console.print(_pace_table(paces))
    console.print(
        _turn_table(turns, options.compare_rate) if turns else "perf_analyzer: not given, see --help; left out."
    )
    for bar in bars:
        console.print(f"{'met   ' if bar.met else 'MISSED'}  {bar.promise}: {bar.measured:,.2f}")
    console.print("measured on", ", ".join(f"{key} {value}" for key, value in before.items()))
    return {
        "machine": before,
        "pace": [asdict(each) for each in paces],
        "perf_analyzer": [asdict(turn) for turn in turns],
        "bars": [asdict(bar) for bar in bars],
    }


def main(arguments: list[str] | None = None) -> int:
    """Measure, print and save; return 0, or 1 if the model cannot be served or perf_analyzer does not run."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.loadgenerator", formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    parser.add_argument("--rates", type=float, nargs="+", default=[500.0, 1000.0, 1500.0, 2000.0], metavar="RPS")
    parser.add_argument("--duration-s", type=float, default=10.0, help="measured time at each rate and of each turn")
    parser.add_argument("--connections", type=int, default=1, help="of the generator")
    parser.add_argument("--perf-analyzer", type=Path, metavar="FILE", help="the binary; without it nothing is compared")
    parser.add_argument("--libraries", type=Path, metavar="DIR", help="its LD_LIBRARY_PATH")
    parser.add_argument("--compare-rate", type=float, default=200.0, metavar="RPS", help="the rate of both")
    parser.add_argument("--turns", type=int, default=6, help="of both")
    parser.add_argument("--out", type=Path, default=Path("build/benchmarks/loadgenerator.json"))
    options = parser.parse_args(arguments)
    console = Console(highlight=False, soft_wrap=True, width=None if sys.stdout.isatty() else 140)
    try:
        with tempfile.TemporaryDirectory(prefix="fovea-benchmark-") as folder:
            saved = _measure(options, console, Path(folder))
    except (ServingError, RuntimeError, OSError) as error:
        console.print(f"error: {error}", style="red", markup=False)
        return 1
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_text(json.dumps(saved, indent=2) + "\n")
    console.print(f"{options.out} written")
    return 0


if __name__ == "__main__":
    sys.exit(main())
