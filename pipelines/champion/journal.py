"""What was promoted and rolled back, one JSON line each, written before it is done.

The link is the truth: a line whose release the link never got is a promotion that was killed, and counts for nothing.
"""

import json
import os
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from pipelines.errors import PipelineError

FILE = "champions.jsonl"


@dataclass(frozen=True)
class Entry:
    """One change of the champion.

    Attributes:
        action: how it came.
        to: name of the release that becomes champion, `releases/<to>`.
        previous: name of the release that was; None for the first.
        why: a sentence for people.
        verdict: the judgement's file, if there was one.
        at: ISO 8601, UTC.
    """

    action: Literal["promoted", "rolled_back"]
    to: str
    previous: str | None
    why: str
    verdict: str | None = None
    at: str = ""


def append(folder: Path, entry: Entry) -> None:
    """Write the entry to the journal in `folder`, with the time, on disk when this returns."""
    path = folder / FILE
    at = datetime.now(UTC).isoformat(timespec="seconds")
    line = json.dumps({**asdict(entry), "at": at}).encode()
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o644)
    try:
        # A writer that was killed may have left half a line; what follows must not be glued to it.
        torn = path.stat().st_size and os.pread(descriptor, 1, path.stat().st_size - 1) != b"\n"
        os.write(descriptor, (b"\n" if torn else b"") + line + b"\n")
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def read_journal(folder: Path) -> list[Entry]:
    """Return the entries, oldest first; none where there is no journal. Torn lines are left out."""
    try:
        lines = (folder / FILE).read_bytes().splitlines()
    except FileNotFoundError:
        return []
    return [entry for line in lines if (entry := _entry(line)) is not None]


def before(entries: list[Entry], release: str) -> str:
    """Return the release that was champion before the present one, `release`, was promoted.

    Raises:
        PipelineError: none was.
    """
    line = _line(entries)
    while line and line[-1] != release:
        line.pop()
    if len(line) < 2:
        raise PipelineError(f"release {release} is the first champion that {FILE} knows; there is none to go back to")
    return line[-2]


def rolled_back(entries: list[Entry], release: str) -> Entry | None:
    """Return the entry by which `release` was taken back, if that is the last that became of it."""
    about = [entry for entry in entries if release in (entry.to, entry.previous)]
    last = next((each for each in reversed(about) if each.to == release or each.action == "rolled_back"), None)
    return last if last is not None and last.action == "rolled_back" and last.previous == release else None


def _line(entries: list[Entry]) -> list[str]:
    """Return the champions that are still to go back to, oldest first, the present one last."""
    line: list[str] = []
    for entry in entries:
        if entry.previous in line:
            # What came after it was killed before it got the link.
            del line[len(line) - line[::-1].index(entry.previous) :]
        elif entry.previous is not None:
            line.append(entry.previous)
        if entry.action == "promoted":
            line.append(entry.to)
        else:
            while line and line[-1] != entry.to:
                line.pop()
    return line


def _entry(line: bytes) -> Entry | None:
    try:
        return Entry(**json.loads(line))
    except (ValueError, TypeError):
        return None
