"""What a closed loop hides: `python -m benchmarks.open_loop`.

A model that stands still 0.6 s of every 3 s is load-tested twice by `python -m loadtests run`: in an open loop, whose
requests are due whatever the server does, and in a closed loop, whose users wait with it. Prints both p99 and draws
both side by side; docs/explanation/open-loop.md tells what is seen.
"""

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray
from PIL import Image
from rich.console import Console
from rich.table import Table

from loadtests.arrivals import NS_PER_S
from loadtests.measurements import NS_PER_MS
from loadtests.plots import FAINT, LIMIT, RIGHT, STYLE, WRONG
from loadtests.recorder import Recording, read_recording
from serving.server import Options, Server
from tasks.checksums import write_checksums

STALLING = Path(__file__).parent / "model_repository" / "stalling"
TASK = "stalling"
# A run whose figures are judged elsewhere: everything is met that can be.
OBJECTIVES = """\
load: {rate_rps: 100, duration_s: 12, warm_up_s: 3, arrivals: poisson}
objectives: {error_ratio: 1.0, generator_lag_p99_ms: 1000}
"""


@dataclass(frozen=True, eq=False)
class Run:
    """One of the two runs: its requests after the warm-up, and the figures of its summary."""

    name: str
    recording: Recording
    latency_ms: dict[str, float]
    rate_rps: float


def stalling_release(folder: Path) -> Path:
    """`folder`, now a release of the stalling model."""
    shutil.copytree(STALLING, folder / TASK, ignore=shutil.ignore_patterns("__pycache__"))
    write_checksums(folder)
    return folder


def load_test(name: str, url: str, folder: Path, *words: str) -> Run:
    """Run `python -m loadtests run` against the stalling model and return what it measured.

    Raises:
        RuntimeError: the run was invalid.
    """
    images, slo, out = folder / "images", folder / "slo.yaml", folder / name
    images.mkdir(exist_ok=True)
    Image.new("L", (64, 48)).save(images / "black.png")
    slo.write_text(OBJECTIVES)
    flags = [f"--url={url}", f"--task={TASK}", f"--images={images}", f"--slo={slo}", f"--out={out}", *words]
    done = subprocess.run(
        [sys.executable, "-m", "loadtests", "run", *flags], capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise RuntimeError(f"the {name} run ended with {done.returncode}: {done.stdout}{done.stderr}")
    summary = json.loads((out / "summary.json").read_text())
    warm_up_ns = int(summary["run"]["warm_up_s"] * NS_PER_S)
    return Run(name, read_recording(out).since(warm_up_ns), summary["latency_ms"], summary["rates_rps"]["achieved"])


def draw(runs: tuple[Run, Run], path: Path) -> None:
    """Both runs side by side: every request over time, and below it the latency by percentile."""
    with rc_context({**STYLE, "font.size": 10}):
        figure = Figure(figsize=(11, 6.4), layout="constrained", dpi=100)
        axes = figure.subplots(2, 2, sharey=True, gridspec_kw={"height_ratios": (3, 2)})
        axes[0, 0].set_ylim(0, 1.08 * max(run.latency_ms["max"] for run in runs))
        for column, run in enumerate(runs):
            _over_time(axes[0, column], run)
            _by_percentile(axes[1, column], run)
        figure.savefig(path, facecolor="white", metadata={"Software": None})


def _over_time(axes: Axes, run: Run) -> None:
    due_s = run.recording.rows["intended_ns"] / NS_PER_S
    axes.plot(due_s - due_s.min(initial=np.inf), _latency_ms(run), ".", color=RIGHT, markersize=4, alpha=0.5)
    axes.axhline(run.latency_ms["p99"], color=WRONG, linewidth=1.5)
    axes.annotate(
        f"p99 {run.latency_ms['p99']:.0f} ms",
        (1, run.latency_ms["p99"]),
        xycoords=("axes fraction", "data"),
        xytext=(-4, 5),
        textcoords="offset points",
        ha="right",
        color=WRONG,
        weight="bold",
    )
    axes.set_title(f"{run.name}: {run.rate_rps:.0f} answers/s", loc="left", fontsize=12, weight="bold")
    axes.set(xlabel="request due, s", ylabel="latency, ms")


def _by_percentile(axes: Axes, run: Run) -> None:
    latency_ms = np.sort(_latency_ms(run))
    percent = np.arange(1, latency_ms.size + 1) / latency_ms.size * 100
    axes.fill_between(percent, latency_ms, step="post", color=RIGHT, alpha=0.35, linewidth=0)
    axes.axvline(99, color=LIMIT, linestyle="--", linewidth=1)
    axes.annotate("p99 ", (99, axes.get_ylim()[1]), ha="right", va="top", color=LIMIT)
    axes.set(xlabel="percent of requests", ylabel="latency, ms", xlim=(70, 100))
    axes.grid(color=FAINT, alpha=0.5)


def _latency_ms(run: Run) -> NDArray[np.float64]:
    return np.asarray(run.recording.latency_ns / NS_PER_MS, np.float64)


def measure(folder: Path) -> tuple[Run, Run]:
    """Serve the stalling model and test it both ways, files below `folder`."""
    options = Options(stalling_release(folder / "release"), log=folder / "triton.log")
    with Server(options) as server:
        url = server.start().grpc
        opened = load_test("open loop", url, folder)
        return opened, load_test("closed loop", url, folder, "--closed-loop", "--users=8")


def main(arguments: list[str] | None = None) -> int:
    """Measure, print, draw, and return 0."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.open_loop", description=__doc__.partition("\n")[0])
    parser.add_argument("--plot", type=Path, default=Path("build/open_loop.png"), help="PNG (default: %(default)s)")
    options = parser.parse_args(arguments)
    options.plot.parent.mkdir(parents=True, exist_ok=True)
    console = Console()
    with tempfile.TemporaryDirectory(prefix="fovea-open-loop-") as folder, console.status("measuring, half a minute"):
        runs = measure(Path(folder))
    draw(runs, options.plot)
    table = Table("", "requests", "answers/s", "p50 ms", "p95 ms", "p99 ms", title="0.6 s of every 3 s stands still")
    for run in runs:
        figures = [f"{run.latency_ms[name]:.1f}" for name in ("p50", "p95", "p99")]
        table.add_row(run.name, str(len(run.recording)), f"{run.rate_rps:.0f}", *figures)
    console.print(table, f"drawn: {options.plot}", sep="\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
