#!/usr/bin/env python3
"""Writes the chart's README.md: its introduction, and a table of every value from the `# --` comments of values.yaml.

helm-chart/document_values.py           writes it
helm-chart/document_values.py --check   says whether it is up to date; exit status 1 if not
"""

import json
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

CHART = Path(__file__).parent
INTRODUCTION = CHART / "README.in.md"
_KEY = re.compile(r"^(?P<indent> *)(?P<key>[A-Za-z][A-Za-z0-9_-]*):")


@dataclass(frozen=True)
class Value:
    """One documented value: its dotted key, what it is for, and what it is without being set."""

    key: str
    description: str
    default: Any


def documented(text: str) -> Iterator[Value]:
    """Yield every value of a values file that a comment `# --` stands above."""
    values = yaml.safe_load(text)
    path: list[str] = []
    comment: list[str] = []
    for line in text.splitlines():
        if (stripped := line.strip()).startswith("# --"):
            comment = [stripped[4:].strip()]
        elif stripped.startswith("#"):
            comment += [stripped[1:].strip()] if comment else []
        elif found := _KEY.match(line):
            path = [*path[: len(found["indent"]) // 2], found["key"]]
            if comment:
                yield Value(".".join(path), " ".join(comment), _at(values, path))
            comment = []


def table(values: Iterator[Value]) -> str:
    """Return the values as a Markdown table."""
    rows = (f"| `{value.key}` | {_cell(value.default)} | {value.description} |" for value in values)
    return "\n".join(["| value | default | what it is for |", "|---|---|---|", *rows])


def readme() -> str:
    """Return the README that belongs to the chart as it is."""
    values = table(documented((CHART / "values.yaml").read_text()))
    note = "<!-- Made by document_values.py from README.in.md and values.yaml: `make chart-docs`. -->"
    return f"{note}\n{INTRODUCTION.read_text().rstrip()}\n\n{values}\n"


def _at(values: Any, path: list[str]) -> Any:
    for key in path:
        values = values[key]
    return values


def _cell(default: Any) -> str:
    text = json.dumps(default, ensure_ascii=False)
    return f"`{text}`" if len(text) <= 60 else "see values.yaml"


def main(arguments: list[str]) -> int:
    """Write or check the README and return the exit status."""
    target = CHART / "README.md"
    if arguments == ["--check"]:
        if target.read_text() == readme():
            return 0
        sys.stderr.write(f"{target} is not made from values.yaml as it is: run `make chart-docs`\n")
        return 1
    target.write_text(readme())
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
