"""A look for drift as pictures: SVG text that is put straight into the report."""

import io
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import matplotlib
import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from monitoring.judgement import Finding, excess
from monitoring.pictures import Figures
from monitoring.ranking import principal_plane

INK, FAINT, REFERENCE, WINDOW, ALARM = "#1f2933", "#cbd2d9", "#829ab1", "#2b6cb0", "#c53030"
STYLE: dict[Any, Any] = {
    "svg.fonttype": "none",
    "font.family": ["sans-serif"],
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": FAINT,
    "axes.labelcolor": INK,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": FAINT,
    "grid.alpha": 0.5,
    "legend.frameon": False,
}
WIDTH_INCH = 11.4
# Scores beyond are drawn at the edge: how far beyond says the table.
_FURTHEST = 10.0
_COLUMNS = 4
_QUANTILES = np.linspace(0, 1, 101)
# One for each method there is.
_MARKERS = "os^*PXDv"
Values = npt.NDArray[np.float64]


def scores(findings: Sequence[Finding], names: Mapping[str, str]) -> str:
    """Return every score over its threshold, a row for each statistic; beyond 1 is an alarm. `names` are methods'."""
    rows = list(dict.fromkeys((finding.kind, finding.statistic) for finding in findings))
    methods = list(dict.fromkeys(finding.method for finding in findings))

    def draw(figure: Figure) -> None:
        axes = figure.subplots()
        height = figure.get_figheight()
        figure.subplots_adjust(left=0.2, right=0.985, top=1 - 0.35 / height, bottom=0.55 / height)
        for method, marker in zip(methods, _MARKERS, strict=False):
            axes.plot([], [], marker, color=WINDOW, label=names[method])
        axes.legend(loc="lower center", bbox_to_anchor=(0.4, 1.0), ncols=len(methods), fontsize=8, handlelength=1)
        for finding in findings:
            place = min(excess(finding), _FURTHEST), rows.index((finding.kind, finding.statistic))
            marker = _MARKERS[methods.index(finding.method)]
            axes.plot(*place, marker, color=ALARM if finding.alarm else WINDOW, alpha=0.75, markersize=6)
        axes.axvline(1, color=INK, linewidth=1)
        axes.set(xscale="symlog", xlim=(0, _FURTHEST * 1.15), xlabel="score ÷ threshold")
        ticks = [0, 0.25, 0.5, 0.75, 1, 2, 5, 10]
        axes.set_xticks(ticks, [*(f"{tick:g}" for tick in ticks[:-1]), "10 or more"])
        axes.set_yticks(range(len(rows)), [f"{statistic}  ({kind})" for kind, statistic in rows])
        axes.invert_yaxis()

    return _svg("scores", draw, 1.0 + 0.26 * len(rows))


def distributions(columns: Sequence[tuple[str, Values, Values, bool]]) -> str:
    """Return the distribution functions of reference and window: of name, both samples and whether it alarms.

    Of no columns it is "".
    """
    if not columns:
        return ""
    lines = -(-len(columns) // _COLUMNS)

    def draw(figure: Figure) -> None:
        grid = figure.subplots(lines, _COLUMNS, squeeze=False)
        figure.subplots_adjust(
            left=0.035,
            right=0.99,
            top=1 - 0.3 / figure.get_figheight(),
            bottom=0.4 / figure.get_figheight(),
            hspace=0.5,
        )
        for axes in grid.flat[len(columns) :]:
            axes.set_axis_off()
        for axes, column in zip(grid.flat, columns, strict=False):
            _distribution(axes, *column)
        grid.flat[0].legend(loc="lower right", fontsize=8, handlelength=1)

    return _svg("distributions", draw, 0.4 + 2.0 * lines)


def _distribution(axes: Axes, name: str, reference: Any, window: Any, alarm: bool) -> None:
    for sample, colour, what in ((reference, REFERENCE, "reference"), (window, ALARM if alarm else WINDOW, "window")):
        axes.plot(np.quantile(sample, _QUANTILES), _QUANTILES, color=colour, linewidth=1.8, label=what)
    axes.set_title(name, fontsize=9, loc="left", color=ALARM if alarm else INK, weight="bold" if alarm else "normal")
    axes.set(ylim=(0, 1), yticks=(0, 0.5, 1))
    axes.locator_params(axis="x", nbins=4)


def classes(names: Sequence[str], reference: Any, window: Any, alarm: bool) -> str:
    """Return the share of each class in both samples of class indices, int [pictures]."""

    def draw(figure: Figure) -> None:
        axes = figure.subplots()
        height = figure.get_figheight()
        figure.subplots_adjust(left=0.2, right=0.985, top=1 - 0.1 / height, bottom=0.35 / height)
        samples = ((reference, REFERENCE, "reference", -0.2), (window, ALARM if alarm else WINDOW, "window", 0.2))
        for labels, colour, what, offset in samples:
            shares = np.bincount(labels, minlength=len(names)) / len(labels)
            axes.barh(np.arange(len(names)) + offset, shares, 0.38, color=colour, label=what)
        axes.set_yticks(range(len(names)), names)
        axes.invert_yaxis()
        axes.xaxis.set_major_formatter(PercentFormatter(1))
        axes.legend(loc="best")

    return _svg("classes", draw, 0.5 + 0.45 * len(names))


def embeddings(reference: Figures, window: Figures, alarm: bool) -> str:
    """Return the pictures in the plane in which their embeddings vary most."""
    former, now = principal_plane(reference, window)

    def draw(figure: Figure) -> None:
        axes = figure.subplots()
        figure.subplots_adjust(left=0.06, right=0.985, top=0.97, bottom=0.13)
        dots: dict[str, Any] = {"markersize": 5, "alpha": 0.55, "markeredgewidth": 0, "rasterized": True}
        axes.plot(*former.T, "o", color=REFERENCE, label=f"reference ({len(former)})", **dots)
        axes.plot(*now.T, "o", color=ALARM if alarm else WINDOW, label=f"window ({len(now)})", **dots)
        axes.set(xlabel="first direction", ylabel="second direction")
        axes.legend(loc="best")

    return _svg("embeddings", draw, 3.8)


def _svg(name: str, draw: Callable[[Figure], None], height_inch: float) -> str:
    with matplotlib.rc_context({**STYLE, "svg.hashsalt": name}):
        figure = Figure(figsize=(WIDTH_INCH, height_inch), dpi=144)
        draw(figure)
        text = io.StringIO()
        figure.savefig(text, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    found = text.getvalue()
    return found[found.index("<svg") :]
