"""The run as pictures: SVG text that is put straight into the report. What they mean is said beside them there."""

import io
from collections.abc import Callable
from typing import Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from loadtests.arrivals import NS_PER_S
from loadtests.measurements import NS_PER_MS
from loadtests.result import RunResult

FIGURE_SIZE_INCH = (5.6, 3.3)
INK, FAINT, RIGHT, WRONG, LIMIT = "#1f2933", "#cbd2d9", "#2b6cb0", "#c53030", "#b7791f"
STYLE: dict[Any, Any] = {
    "svg.fonttype": "none",
    "font.family": ["sans-serif"],
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": FAINT,
    "axes.labelcolor": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": FAINT,
    "grid.alpha": 0.5,
    "legend.frameon": False,
}
Plot = Callable[[Axes, RunResult], None]


def svg(name: str, plot: Plot, result: RunResult) -> str:
    """One picture as an `<svg>` element. `name` keeps the element's ids apart from those of other pictures."""
    with matplotlib.rc_context({**STYLE, "svg.hashsalt": name}):
        figure = Figure(figsize=FIGURE_SIZE_INCH, layout="constrained")
        plot(figure.subplots(), result)
        text = io.StringIO()
        figure.savefig(text, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    document = text.getvalue()
    return document[document.index("<svg") :]


def latency_over_time(axes: Axes, result: RunResult) -> None:
    """Every request at the time it was due: right, failed, and the p99 limit."""
    due_s, latency_ms = _due_s(result), _latency_ms(result)
    failed = result.recording.failed
    # Points are drawn as one bitmap: a hundred thousand SVG elements open in no browser.
    axes.plot(due_s[~failed], latency_ms[~failed], ".", color=RIGHT, alpha=0.7, rasterized=True, label="right answer")
    if failed.any():
        axes.plot(due_s[failed], latency_ms[failed], "x", color=WRONG, rasterized=True, label="failed")
    if result.objectives.p99_ms is not None:
        axes.axhline(result.objectives.p99_ms, color=LIMIT, linestyle="--", linewidth=1, label="p99 limit")
    axes.axvspan(-result.settings.load.warm_up_s, 0, color=FAINT, alpha=0.35, linewidth=0, label="warm-up")
    axes.set(
        xlabel="due, s after the warm-up",
        ylabel="latency, ms",
        ylim=(0, None),
        xlim=(-result.settings.load.warm_up_s, None),
    )
    _legend_above(axes)


def cumulative(axes: Axes, result: RunResult) -> None:
    """The share of measured requests that took no longer than so many milliseconds, with the limits."""
    latency_ms = np.sort(_judged_latency_ms(result))
    axes.step(latency_ms, np.arange(1, latency_ms.size + 1) / latency_ms.size, where="post", color=RIGHT, label="share")
    limits = [(q, getattr(result.objectives, f"p{q}_ms")) for q in (50, 95, 99)]
    known = [(limit, q / 100) for q, limit in limits if limit is not None]
    if known:
        axes.plot(*zip(*known, strict=True), "D", color=LIMIT, markersize=5, label="limits: stay left of them")
    axes.set(xlabel="latency, ms", ylabel="share of requests", ylim=(0, 1.03), xlim=(0, None))
    _legend_above(axes)


def histogram(axes: Axes, result: RunResult) -> None:
    """How often each latency was measured."""
    axes.hist(_judged_latency_ms(result), bins=40, color=RIGHT, alpha=0.85, log=True)
    axes.set(xlabel="latency, ms", ylabel="requests", xlim=(0, None), ylim=(0.7, None))
    axes.yaxis.set_major_formatter("{x:g}")


def throughput(axes: Axes, result: RunResult) -> None:
    """Requests due and requests rightly answered, in each second."""
    due_s = _due_s(result)
    done_s = result.recording.rows["finished_ns"][~result.recording.failed] / NS_PER_S - result.settings.load.warm_up_s
    first_s, last_s = -result.settings.load.warm_up_s, max(due_s.max(initial=0.0), done_s.max(initial=0.0))
    edges = np.arange(np.floor(first_s), np.ceil(last_s) + 1.5)
    axes.stairs(np.histogram(due_s, edges)[0], edges, color=LIMIT, linewidth=1.5, label="due")
    axes.stairs(np.histogram(done_s, edges)[0], edges, fill=True, color=RIGHT, alpha=0.35, label="rightly answered")
    axes.axvspan(first_s, 0, color=FAINT, alpha=0.35, linewidth=0, label="warm-up")
    axes.set(xlabel="s after the warm-up", ylabel="requests per second", ylim=(0, None), xlim=(first_s, None))
    _legend_above(axes)


def _legend_above(axes: Axes) -> None:
    axes.legend(loc="lower left", bbox_to_anchor=(0, 1.0), ncols=4, fontsize=8, borderaxespad=0.2, handlelength=1.4)


def _due_s(result: RunResult) -> NDArray[np.float64]:
    due_s: NDArray[np.float64] = result.recording.rows["intended_ns"] / NS_PER_S - result.settings.load.warm_up_s
    return due_s


def _latency_ms(result: RunResult) -> NDArray[np.float64]:
    return result.recording.latency_ns / NS_PER_MS


def _judged_latency_ms(result: RunResult) -> NDArray[np.float64]:
    return _latency_ms(result)[_due_s(result) >= 0]
