"""The run as pictures: SVG text that is put straight into the report. What they mean is said beside them there."""

import io
from collections.abc import Callable, Mapping
from typing import Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator
from numpy.typing import NDArray

from loadtests.arrivals import NS_PER_S
from loadtests.measurements import NS_PER_MS
from loadtests.result import RunResult

Size = tuple[float, float]
SIZE_INCH: Size = (5.6, 3.3)
WIDE_INCH: Size = (11.4, 3.0)
LEFT_INCH, BOTTOM_INCH, RIGHT_INCH, TOP_INCH = 0.62, 0.46, 0.14, 0.3
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
# A line of medians needs slices of so many requests, and is of use from so many slices on.
SLICE_REQUESTS, MIN_SLICES, MAX_SLICES = 50, 4, 60
# A limit above so many times the slowest request is not drawn.
VIEW = 2.0
PERCENTS = (0, 50, 90, 99, 99.9, 99.99, 99.999)
Plot = Callable[[Axes], object]


def svg(name: str, plot: Plot, size_inch: Size = SIZE_INCH, left_inch: float = LEFT_INCH) -> str:
    """One picture as an `<svg>` element. `name` keeps the element's ids apart from those of other pictures.

    `left_inch` is the room left of the axes, for their labels.
    """
    with matplotlib.rc_context({**STYLE, "svg.hashsalt": name}):
        figure = Figure(figsize=size_inch, dpi=144)
        # Fixed margins: a layout that fits itself draws everything twice, and an interrupted run has three seconds.
        figure.subplots_adjust(*_margins(size_inch, left_inch))
        plot(figure.subplots())
        text = io.StringIO()
        figure.savefig(text, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    document = text.getvalue()
    return document[document.index("<svg") :]


def warm_up() -> None:
    """Load fonts and the SVG writer now: an interrupted run has no time for that later."""
    svg("warm_up", lambda axes: axes.set(xlabel="s"))


def _margins(size_inch: Size, left_inch: float) -> tuple[float, float, float, float]:
    width, height = size_inch
    return left_inch / width, BOTTOM_INCH / height, 1 - RIGHT_INCH / width, 1 - TOP_INCH / height


def latency_over_time(axes: Axes, result: RunResult) -> None:
    """Every request at the time it was due, right or failed, the median of each slice, and the highest limit."""
    due_s, latency_ms, failed = _due_s(result), _latency_ms(result), result.recording.failed
    # Points are drawn as one bitmap: a hundred thousand SVG elements open in no browser.
    size = 5 if due_s.size < 1000 else 2.5
    dots: dict[str, Any] = {"markersize": size, "rasterized": True, "markeredgewidth": 0}
    axes.plot(due_s[~failed], latency_ms[~failed], ".", color=RIGHT, alpha=0.6, label="right answer", **dots)
    if failed.any():
        axes.plot(due_s[failed], latency_ms[failed], "x", color=WRONG, rasterized=True, markersize=4, label="failed")
    _medians(axes, due_s, latency_ms)
    highest = dict(list(result.objectives.latency_ms.items())[-1:])
    for name, limit in _in_view(axes, highest, latency_ms, (0.99, 0.95)).items():
        axes.axhline(limit, color=LIMIT, linestyle="--", linewidth=1, label=f"{name} limit")
    _mark_warm_up(axes, result)
    axes.set(xlabel="request due, s after the warm-up", ylabel="latency, ms")
    axes.set_ylim(0, 1.08 * axes.get_ylim()[1])
    # Room for the words in the corner.
    axes.margins(y=0.12)
    legend_above(axes)


def _medians(axes: Axes, due_s: NDArray[np.float64], latency_ms: NDArray[np.float64]) -> None:
    slices = min(due_s.size // SLICE_REQUESTS, MAX_SLICES)
    if slices < MIN_SLICES:
        return
    order = np.argsort(due_s, kind="stable")
    parts = [part for part in np.array_split(order, slices) if part.size]
    middle = [float(np.median(due_s[part])) for part in parts]
    axes.plot(middle, [float(np.median(latency_ms[part])) for part in parts], color=INK, linewidth=1, label="median")


def cumulative(axes: Axes, result: RunResult) -> None:
    """The share of measured requests that took no longer than so many milliseconds, with the limits."""
    latency_ms = np.sort(_judged_latency_ms(result))
    share = np.arange(1, latency_ms.size + 1) / latency_ms.size
    limits = _in_view(axes, result.objectives.latency_ms, latency_ms, (0.99, 0.05))
    right_ms = 1.12 * max([*limits.values(), float(np.quantile(latency_ms, 0.999))])
    # Drawn to the edge: the curve does not end where the slowest request was.
    axes.step([0, *latency_ms, max(right_ms, latency_ms[-1])], [0, *share, 1], where="post", color=RIGHT)
    for name in limits:
        quantile, met = result.objectives.quantiles[name], result.measured.latency_ms[name] <= limits[name]
        axes.plot(limits[name], quantile, "D", color=LIMIT if met else WRONG, markersize=5, zorder=3, clip_on=False)
        below: dict[str, Any] = {
            "xytext": (0, -6),
            "textcoords": "offset points",
            "ha": "center",
            "va": "top",
            "fontsize": 8,
        }
        axes.annotate(f"{name} limit", (limits[name], quantile), color=LIMIT if met else WRONG, **below)
    axes.set(xlabel="latency, ms", ylabel="share of requests", ylim=(0, 1.03), xlim=(0, right_ms))


def tail(axes: Axes, result: RunResult) -> None:
    """Latency by percentile, each further nine as wide as the one before (Tene's HdrHistogram draws it so)."""
    latency_ms = np.sort(_judged_latency_ms(result))
    beyond = 1 - (np.arange(latency_ms.size) + 0.5) / latency_ms.size
    axes.step(-np.log10(beyond), latency_ms, where="mid", color=RIGHT)
    limits = _in_view(axes, result.objectives.latency_ms, latency_ms, (0.72, 0.95))
    for name in limits:
        met = result.measured.latency_ms[name] <= limits[name]
        place = -np.log10(1 - result.objectives.quantiles[name])
        axes.plot(place, limits[name], "D", color=LIMIT if met else WRONG, markersize=5, zorder=3)
    right = max(-np.log10(beyond[-1]), 2.0)
    places = [-np.log10(1 - percent / 100) for percent in PERCENTS]
    axes.xaxis.set_major_locator(FixedLocator(places))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(FuncFormatter(lambda place, _: f"{100 * (1 - 10**-place):.6g}"))
    axes.set(xlabel="percent of requests", ylabel="latency, ms", xlim=(0, right + 0.1), ylim=(0, None))


def _in_view(
    axes: Axes, limits: Mapping[str, float], latency_ms: NDArray[np.float64], empty: tuple[float, float]
) -> dict[str, float]:
    """The limits near enough to draw; those far above are named at `empty`, or they would press the points flat.

    `empty` is where the axes hold nothing, x and y from 0 to 1; the words end there on the right.
    """
    near_ms = VIEW * float(latency_ms.max(initial=0.0))
    far = {name: limit for name, limit in limits.items() if limit > near_ms}
    if far:
        names = ", ".join(f"{name} {limit:g} ms" for name, limit in far.items())
        place: dict[str, Any] = {
            "xycoords": "axes fraction",
            "ha": "right",
            "va": "center",
            "fontsize": 8,
            "color": LIMIT,
        }
        axes.annotate(f"limits out of sight: {names}", empty, **place)
    return {name: limit for name, limit in limits.items() if name not in far}


def throughput(axes: Axes, result: RunResult) -> None:
    """Requests due and requests rightly answered, in each second."""
    due_s = _due_s(result)
    done_s = result.recording.rows["finished_ns"][~result.recording.failed] / NS_PER_S - result.settings.load.warm_up_s
    first_s, last_s = -result.settings.load.warm_up_s, max(due_s.max(initial=0.0), done_s.max(initial=0.0))
    # The last second is whole, or it would look like a loss.
    edges = np.arange(np.floor(first_s), max(np.floor(last_s), np.floor(first_s) + 1) + 1.5)
    axes.stairs(np.histogram(done_s, edges)[0], edges, fill=True, color=RIGHT, alpha=0.35, label="rightly answered")
    axes.stairs(np.histogram(due_s, edges)[0], edges, color=LIMIT, linewidth=1.3, label="due")
    _mark_warm_up(axes, result)
    axes.set(xlabel="s after the warm-up", ylabel="requests per second", ylim=(0, None))
    legend_above(axes)


def legend_above(axes: Axes) -> None:
    """The legend in one line above the axes, where it hides no point."""
    axes.legend(loc="lower left", bbox_to_anchor=(0, 1.0), ncols=5, fontsize=8, borderaxespad=0.2, handlelength=1.4)


def _mark_warm_up(axes: Axes, result: RunResult) -> None:
    warm_up_s = result.settings.load.warm_up_s
    axes.set_xlim(-warm_up_s, None)
    if warm_up_s:
        axes.axvspan(-warm_up_s, 0, color=FAINT, alpha=0.35, linewidth=0, label="warm-up")


def _due_s(result: RunResult) -> NDArray[np.float64]:
    due_s: NDArray[np.float64] = result.recording.rows["intended_ns"] / NS_PER_S - result.settings.load.warm_up_s
    return due_s


def _latency_ms(result: RunResult) -> NDArray[np.float64]:
    return result.recording.latency_ns / NS_PER_MS


def _judged_latency_ms(result: RunResult) -> NDArray[np.float64]:
    return result.driven.measured.latency_ns / NS_PER_MS
