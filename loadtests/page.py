"""One page of HTML that needs nothing beside it: how the reports of all commands look. What they say is theirs.

A page reads from the top: the verdict, the few figures that matter, the tables behind them, pictures, the conditions.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import jinja2

TEMPLATE = "page.html.j2"
# What every command calls its page.
PAGE_FILE = "report.html"


@dataclass(frozen=True)
class Tile:
    """A figure, with its unit, and what it is."""

    figure: str
    what: str


@dataclass(frozen=True)
class Cell:
    """A table's cell: `mark` is "", "passed", "missed" or "invalid" and colours it; `number` aligns it to the right."""

    text: str
    mark: str = ""
    number: bool = False


@dataclass(frozen=True)
class Table:
    """A heading, the columns' headings, the rows and sentences below. A heading aligns as the cells of its column."""

    title: str
    columns: tuple[str, ...]
    rows: Sequence[tuple[Cell, ...]]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Picture:
    """A plot with its heading and the sentence that says how to read it.

    The template does not escape `svg`: nothing in it may come from a server or a command line but through matplotlib,
    which escapes text. A `wide` picture takes the whole width.
    """

    title: str
    reading: str
    svg: str
    wide: bool = False


@dataclass(frozen=True)
class Page:
    """What a report says.

    Attributes:
        mark: "passed", "missed" or "invalid": the colour of the verdict.
        headline: the verdict in a few words.
        lead: of what, where, when.
        reasons: sentences that explain the verdict.
        tables: shown above the pictures; `details` below them.
        facts: the conditions, by name.
        notes: how figures are defined.
    """

    mark: str
    headline: str
    lead: str
    reasons: tuple[str, ...] = ()
    tiles: tuple[Tile, ...] = ()
    tables: tuple[Table, ...] = ()
    pictures: tuple[Picture, ...] = ()
    details: tuple[Table, ...] = ()
    facts: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


def page_html(page: Page) -> str:
    """The page's text."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template(TEMPLATE).render(page=page)
