"""The pages of the documentation as tests read them: the built site, and the blocks of a Markdown page."""

import re
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path

ROOT = Path(__file__).parents[2]


@dataclass
class Page(HTMLParser):
    """What a built page points to, what may be pointed to in it, and what the browser fetches to show it."""

    path: Path
    links: list[str] = field(default_factory=list)
    anchors: set[str] = field(default_factory=set)
    fetched: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__()
        self.feed(self.path.read_text())

    def __hash__(self) -> int:
        return hash(self.path)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note every link, every anchor and every file that is fetched."""
        given = {name: value for name, value in attrs if value}
        self.anchors |= {given[name] for name in ("id", "name") if name in given}
        if tag == "a" and "href" in given:
            self.links.append(given["href"])
        elif tag == "link" and given.get("rel") not in ("canonical", "next", "prev"):
            self.fetched.append(given.get("href", ""))
        elif "src" in given:
            self.fetched.append(given["src"])


@dataclass(frozen=True)
class Block:
    """A block of code of a Markdown page: its lines, and what the fence says it is (`indented` without a fence)."""

    kind: str
    lines: tuple[str, ...]


def blocks(page: Path) -> list[Block]:
    """Return the fenced and the indented blocks of a page, in their order."""
    found: list[Block] = []
    rest: list[str] = []
    kind: str | None = None
    for line in [*page.read_text().splitlines(), ""]:
        if line.startswith("```"):
            if kind is not None:
                found.append(Block(kind, tuple(rest)))
            kind, rest = (line[3:].strip() or "output", []) if kind is None else (None, [])
        elif kind is not None:
            rest.append(line)
        elif line.startswith("    "):
            rest.append(line[4:])
        elif rest:
            found.append(Block("indented", tuple(rest)))
            rest = []
    return found


def inline(page: Path) -> list[str]:
    """Return what stands between backquotes outside the blocks."""
    text = re.sub(r"^```.*?^```", "", page.read_text(), flags=re.MULTILINE | re.DOTALL)
    text = "\n".join(line for line in text.splitlines() if not line.startswith("    "))
    return [" ".join(code.split()) for code in re.findall(r"`([^`]+)`", text)]
