"""capacity.json for people: each search's trials as a picture and the capacities as a table."""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from matplotlib.axes import Axes
from matplotlib.ticker import LogLocator, NullFormatter, ScalarFormatter

from loadtests.outcome import Outcome
from loadtests.page import Cell, Page, Picture, Table, Tile
from loadtests.pages.conditions import facts_of
from loadtests.plots import FAINT, INK, LIMIT, RIGHT, WRONG, legend_above, svg

HEADLINES = {
    Outcome.PASSED: "A capacity was found",
    Outcome.MISSED: "The capacity is not enough",
    Outcome.INVALID: "No capacity was found",
}
MARKS = {"passed": (RIGHT, "o", "met"), "missed": (WRONG, "x", "missed"), "invalid": (LIMIT, "^", "invalid")}
NOT_FOUND = "not found"

Document = Mapping[str, Any]


def capacity_page(document: Document, outcome: Outcome, reasons: Sequence[str]) -> Page:
    """The page of a capacity.json; `outcome` and `reasons` are the command's verdict on it."""
    entries = document["capacities"]
    return Page(
        mark=outcome.value,
        headline=HEADLINES[outcome],
        lead=f"Capacity of {document['task']}: the highest arrival rate that meets the objectives, "
        f"measured {document['created_at']}",
        reasons=tuple(reasons),
        tiles=tuple(_tile(entry) for entry in entries),
        tables=(_table(entries),),
        pictures=tuple(_picture(number, entry, document) for number, entry in enumerate(entries) if entry["trials"]),
        details=tuple(_trials(entry) for entry in entries if entry["trials"]),
        facts=facts_of(document),
        notes=(
            f"Intervals hold the capacity with a confidence of {document['confidence']:.0%}. Size a pool by the lower "
            "bound, as `python -m loadtests size` does.",
        ),
    )


def name_of(entry: Document) -> str:
    """Profile and instances of a search in a few words."""
    profile = entry["profile"] or "the server"
    return profile if entry["instances"] is None else f"{profile}, {entry['instances']} instances"


def _tile(entry: Document) -> Tile:
    rate = entry["capacity_rps"]
    return Tile(NOT_FOUND if rate is None else f"{rate:.3g}/s", name_of(entry))


def _table(entries: Sequence[Document]) -> Table:
    headings = ("server", "requests/s", "surely between", "trials", "target load", "p99 there", "queue there")
    return Table("Capacities", headings, [_row(entry) for entry in entries])


def _row(entry: Document) -> tuple[Cell, ...]:
    interval, target = entry["interval_rps"], entry["target"] or {}
    queue = target.get("queue_ms")
    texts = (
        NOT_FOUND if entry["capacity_rps"] is None else f"{entry['capacity_rps']:.3g}",
        f"{interval[0]:.3g} and {interval[1]:.3g}" if interval else f"ended by: {entry['limit'] or 'interruption'}",
        str(len(entry["trials"])),
        f"{target['rate_rps']:.3g}/s" if target else "",
        f"{target['latency_ms']['p99']:.0f} ms" if target.get("latency_ms") else "",
        "" if queue is None else f"{sum(queue.values()):.1f} ms",
    )
    return (Cell(name_of(entry)), *(Cell(text, number=True) for text in texts))


def _picture(number: int, entry: Document, document: Document) -> Picture:
    plot = partial(trials_plot, entry=entry, limits=document["objectives"].get("latency_ms", {}))
    reading = (
        "Each point is a trial. The band is where the capacity surely lies: left of it trials meet, right they miss."
    )
    return Picture(f"Trials: {name_of(entry)}", reading, svg(f"trials{number}", plot))


def trials_plot(axes: Axes, entry: Document, limits: Mapping[str, float]) -> None:
    """Each trial's latency at the highest quantile that has a limit, over its rate, with the interval."""
    name = (list(limits) or ["p99"])[-1]
    for outcome, (colour, marker, label) in MARKS.items():
        points = [
            (trial["rate_rps"], trial["latency_ms"][name])
            for trial in entry["trials"]
            if trial["outcome"] == outcome and name in trial["latency_ms"]
        ]
        if points:
            axes.plot(*zip(*points, strict=True), marker, color=colour, label=label, linestyle="none", markersize=5)
    if entry["interval_rps"]:
        axes.axvspan(*entry["interval_rps"], color=FAINT, alpha=0.5, linewidth=0, label="interval")
        axes.axvline(entry["capacity_rps"], color=INK, linewidth=1, label="capacity")
    if name in limits:
        axes.axhline(limits[name], color=LIMIT, linestyle="--", linewidth=1, label=f"{name} limit")
    axes.set(xlabel="requests per second", ylabel=f"{name}, ms", xscale="log", yscale="log")
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axis.set_major_formatter(ScalarFormatter())
        axis.set_minor_formatter(NullFormatter())
    legend_above(axes)


def _trials(entry: Document) -> Table:
    rows = [_trial(number, trial) for number, trial in enumerate(entry["trials"], 1)]
    headings = ("trial", "requests/s", "answered/s", "p99, ms", "result", "why")
    return Table(f"Trials: {name_of(entry)}", headings, rows)


def _trial(number: int, trial: Document) -> tuple[Cell, ...]:
    p99_ms = trial["latency_ms"].get("p99")
    figures = (
        str(number),
        f"{trial['rate_rps']:.4g}",
        f"{trial['achieved_rps']:.4g}",
        "" if p99_ms is None else f"{p99_ms:.1f}",
    )
    mark = Outcome(trial["outcome"])
    return (
        *(Cell(figure, number=True) for figure in figures),
        Cell(MARKS[mark.value][2], mark=mark.value),
        Cell("; ".join(trial["reasons"])),
    )
