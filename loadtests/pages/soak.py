"""soak.json for people: each watched quantity over time, and what rose."""

from collections.abc import Mapping
from functools import partial
from typing import Any

import numpy as np
from matplotlib.axes import Axes

from loadtests.page import Cell, Page, Picture, Table
from loadtests.pages.conditions import facts_of
from loadtests.plots import INK, RIGHT, WRONG, svg

HEADLINES = {
    "passed": "Nothing rises",
    "missed": "The soak failed",
    "invalid": "The soak is invalid",
}
S_PER_H = 3600
READING = "The line is the trend that was found; it is red where it rises for good."

Document = Mapping[str, Any]


def soak_page(document: Document) -> Page:
    """The page of a soak.json."""
    load = document["load"]
    return Page(
        mark=document["verdict"],
        headline=HEADLINES[document["verdict"]],
        lead=f"Soak of {document['task']} at {document['server']['url']}, {load['rate_rps']:g} requests/s for "
        f"{load['duration_s']:g} s, started {document['created_at']}",
        reasons=tuple(document["reasons"]),
        tables=(_trends(document), _objectives(document)),
        pictures=tuple(_picture(number, each) for number, each in enumerate(document["trends"]) if each["values"]),
        facts=facts_of(document),
        notes=(
            "A quantity fails when it rises significantly, by more than is allowed, and goes on rising in the second "
            "half.",
            *document["not_watched"],
        ),
    )


def _trends(document: Document) -> Table:
    return Table(
        "Trends",
        ("quantity", "level", "rise over the soak", "an hour", "allowed", "result"),
        [_row(each) for each in document["trends"]],
    )


def _row(each: Document) -> tuple[Cell, ...]:
    found, unit = each["trend"], f" {each['unit']}" if each["unit"] else ""
    if found is None:
        return (Cell(each["name"]), *(Cell("", number=True),) * 4, Cell("too short", mark="invalid"))
    figures = (
        f"{found['level']:.4g}{unit}",
        f"{found['rise']:+.3g}{unit}",
        f"{found['slope_per_s'] * S_PER_H:+.3g}{unit}",
        f"{each['allowed_rise']:.3g}{unit}",
    )
    result = Cell("rises", mark="missed") if each["rising"] else Cell("steady", mark="passed")
    return (Cell(each["name"]), *(Cell(figure, number=True) for figure in figures), result)


def _objectives(document: Document) -> Table:
    rows = [
        (
            Cell(each["name"]),
            Cell("not measured" if each["measured"] is None else f"{each['measured']:.4g}", number=True),
            Cell(f"{'≤' if each['bound'] == 'max' else '≥'} {each['limit']:g}", number=True),
            Cell("met" if each["met"] else "missed", mark="passed" if each["met"] else "missed"),
        )
        for each in document["objectives"]
    ]
    return Table("Objectives", ("objective", "measured", "limit", "result"), rows)


def _picture(number: int, each: Document) -> Picture:
    title = each["name"][:1].upper() + each["name"][1:]
    return Picture(title, READING, svg(f"trend{number}", partial(trend_plot, each=each)))


def trend_plot(axes: Axes, each: Document) -> None:
    """The series over time with the line of its slope through its middle."""
    times_s, values = np.array(each["times_s"]), np.array(each["values"])
    axes.plot(times_s, values, ".", color=RIGHT, markersize=4, alpha=0.7)
    if each["trend"] is not None:
        middle = np.median(times_s)
        line = each["trend"]["level"] + each["trend"]["slope_per_s"] * (times_s - middle)
        axes.plot(times_s, line, color=WRONG if each["rising"] else INK, linewidth=1.5)
    axes.set(xlabel="s", ylabel=f"{each['name']}, {each['unit']}" if each["unit"] else each["name"], ylim=(0, None))
