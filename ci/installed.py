"""What is installed in this environment, and what its metadata says of licences."""

import importlib.metadata
import json
import subprocess
import sys
from dataclasses import dataclass

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

OURS = ("fovea", "fovea-client")
_SILENT = "UNKNOWN"
_NO_LICENCE = "DFSG approved"  # a classifier that names none


@dataclass(frozen=True)
class Package:
    """An installed distribution.

    Attributes:
        name: canonical.
        version: as installed.
        required: whether the distributions of this repository need it without any extra.
        says: what its metadata says of its licence: its expression, which speaks for all; without one its field, where
            that is a name and not the text of a licence, and each of its classifiers.
        text: all that its metadata says of licences, whole.
    """

    name: str
    version: str
    required: bool
    says: tuple[str, ...]
    text: str


def installed() -> list[Package]:
    """Return every distribution of this environment by name, without those of this repository."""
    words = ["--from=all", "--format=json", "--with-system", "--ignore-packages", *OURS]
    listed = subprocess.run([sys.executable, "-m", "piplicenses", *words], capture_output=True, text=True, check=True)
    needed = _required()
    return sorted((_package(each, needed) for each in json.loads(listed.stdout)), key=lambda package: package.name)


def _package(listed: dict[str, str], needed: set[str]) -> Package:
    name = canonicalize_name(listed["Name"])
    found = (listed[f"License-{field}"].strip() for field in ("Expression", "Metadata", "Classifier"))
    expression, field, classifiers = ("" if each == _SILENT else each for each in found)
    says = (expression,) if expression else _named(field, [each.strip() for each in classifiers.split(";")])
    return Package(name, listed["Version"], name in needed, says, "\n".join((expression, field, classifiers)).strip())


def _named(field: str, classifiers: list[str]) -> tuple[str, ...]:
    """Return the names; of a licence's whole text the first line, if nothing else names it."""
    named = [each for each in classifiers if each not in ("", _NO_LICENCE)]
    if field and not ("\n" in field and named):
        named.insert(0, field.splitlines()[0].strip())
    return tuple(named)


def _required() -> set[str]:
    """Return the canonical names that OURS lead to, each with the extras it is asked for."""
    waiting: list[tuple[str, str]] = [(name, "") for name in OURS]
    seen = set(waiting)
    while waiting:
        name, extra = waiting.pop()
        found = {pair for text in _requires(name) for pair in _asked(Requirement(text), extra)}
        waiting += found - seen
        seen |= found
    return {name for name, _ in seen} - set(OURS)


def _requires(name: str) -> list[str]:
    try:
        return importlib.metadata.requires(name) or []
    except importlib.metadata.PackageNotFoundError:
        return []  # its marker holds here and yet it is not installed: pip's to complain about


def _asked(requirement: Requirement, extra: str) -> list[tuple[str, str]]:
    if requirement.marker and not requirement.marker.evaluate({"extra": extra}):
        return []
    name = canonicalize_name(requirement.name)
    return [(name, each) for each in ("", *requirement.extras)]
