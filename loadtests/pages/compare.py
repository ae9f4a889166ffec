"""compare.json for people: the ratios with their intervals and every pair."""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from loadtests.page import Cell, Page, Picture, Table, Tile
from loadtests.pages.conditions import facts_of
from loadtests.plots import FAINT, INK, LIMIT, RIGHT, WRONG, legend_above, svg

HEADLINES = {"slower": "B is slower than A", "failing": "B fails", "not slower": "B is not slower than A"}
UNDECIDED = "The pairs do not tell"
SIDES = ("a", "b")

Document = Mapping[str, Any]


def compare_page(document: Document) -> Page:
    """The page of a compare.json."""
    pairs, ratios = document["pairs"], document["ratios"]
    gate = document["gate"]["quantile"]
    return Page(
        mark=document["verdict"],
        headline=HEADLINES.get(document["answer"], UNDECIDED),
        lead=f"Comparison of two servers of {document['task']}, {len(pairs)} pairs of slices, "
        f"measured {document['created_at']}",
        reasons=(document["reason"],),
        tiles=tuple(Tile(f"{each['estimate'] - 1:+.1%}", f"{name} of B over A") for name, each in ratios.items()),
        tables=(_ratios(ratios, gate),) if ratios else (),
        pictures=_pictures(document) if pairs else (),
        details=(_pairs(pairs, gate),) if pairs else (),
        facts={**_sides(document), **facts_of(document)},
        notes=(
            f"Intervals hold B over A with a confidence of {document['gate']['confidence']:.0%}: bootstrap on pairs. "
            "The two slices of a pair have the same schedule and images, one right after the other, in random order.",
        ),
    )


def _ratios(ratios: Mapping[str, Document], gate: str) -> Table:
    rows = [
        (
            Cell(f"{name} (the gate)" if name == gate else name),
            Cell(f"{each['estimate']:.3f}", number=True),
            Cell(f"{each['interval'][0]:.3f} and {each['interval'][1]:.3f}", number=True),
        )
        for name, each in ratios.items()
    ]
    return Table("B over A", ("latency", "ratio", "surely between"), rows)


def _pictures(document: Document) -> tuple[Picture, ...]:
    return (
        Picture(
            "Latency by pair",
            "Both lines rise and fall together where the machine was busy; what is between them is the servers'.",
            svg("pairs", partial(pairs_plot, document=document)),
        ),
        Picture(
            "B over A by quantile",
            "An interval that crosses 1 tells no difference; one beyond the dotted line is a slowdown that counts.",
            svg("ratios", partial(ratios_plot, document=document)),
        ),
    )


def pairs_plot(axes: Axes, document: Document) -> None:
    """The gate's quantile of both sides, pair by pair; a slice that cannot be trusted is left out."""
    gate = document["gate"]["quantile"]
    for side, colour in zip(SIDES, (INK, RIGHT), strict=True):
        values = [
            np.nan if pair[side]["invalid_reason"] else pair[side]["latency_ms"].get(gate, np.nan)
            for pair in document["pairs"]
        ]
        axes.plot(np.arange(1, len(values) + 1), values, ".-", color=colour, linewidth=1, label=side.upper())
    axes.set(xlabel="pair", ylabel=f"{gate}, ms", ylim=(0, None))
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    legend_above(axes)


def ratios_plot(axes: Axes, document: Document) -> None:
    """Each quantile's ratio with its interval."""
    ratios: Mapping[str, Document] = document["ratios"]
    places = np.arange(len(ratios))
    for place, each in zip(places, ratios.values(), strict=True):
        low, high = each["interval"]
        colour = WRONG if low > 1 else RIGHT
        axes.plot([low, high], [place, place], color=colour, linewidth=2)
        axes.plot(each["estimate"], place, "o", color=colour, markersize=5)
    axes.axvline(1, color=INK, linewidth=1)
    axes.axvline(1 + document["gate"]["least_effect"], color=LIMIT, linestyle=":", linewidth=1)
    axes.set_yticks(places, list(ratios))
    # Too few pairs give no ratio, and still a picture.
    axes.set(xlabel="B over A", ylim=(max(1, len(ratios)) - 0.5, -0.5))
    axes.grid(visible=False, axis="y")
    axes.spines["left"].set_color(FAINT)


def _pairs(pairs: Sequence[Document], gate: str) -> Table:
    rows = []
    for number, pair in enumerate(pairs, 1):
        cells = [Cell(str(number), number=True), Cell(pair["first"].upper())]
        for side in SIDES:
            latency_ms = pair[side]["latency_ms"].get(gate)
            cells.append(Cell("" if latency_ms is None else f"{latency_ms:.2f}", number=True))
            cells.append(Cell(f"{pair[side]['errors']} of {pair[side]['requests']}", number=True))
        reason = pair["a"]["invalid_reason"] or pair["b"]["invalid_reason"]
        rows.append((*cells, Cell(reason)))
    headings = ("pair", "first", f"A {gate}, ms", "A failed", f"B {gate}, ms", "B failed", "not trusted because")
    return Table("Pairs", headings, rows)


def _sides(document: Document) -> dict[str, str]:
    return {side.upper(): ", ".join(str(value) for value in document[side].values() if value) for side in SIDES}
