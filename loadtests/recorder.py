"""Every request of a run, in nanoseconds, on disk as soon as it ends.

Locust's own statistics round to a millisecond and more and live in memory; these rows survive a killed generator.
What the rows mean is left to `measurements`.
"""

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path


@dataclass(frozen=True)
class RequestRow:
    """One request: when it was due, sent and finished, in nanoseconds after the start of the schedule.

    `error` is None for a right answer and otherwise a sentence about what was wrong.
    """

    index: int
    intended_ns: int
    sent_ns: int
    finished_ns: int
    error: str | None

    @property
    def latency_ns(self) -> int:
        """From the intended send time, so that time spent waiting to be sent counts."""
        return self.finished_ns - self.intended_ns

    @property
    def lag_ns(self) -> int:
        """How late the generator itself was."""
        return self.sent_ns - self.intended_ns


class Recorder:
    """Appends rows to a file of JSON lines; opening it empties the file."""

    def __init__(self, path: Path) -> None:
        self._descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND, 0o644)

    def append(self, row: RequestRow) -> None:
        """Write one row with one system call: a reader sees a whole line, also when the writer is killed after it."""
        os.write(self._descriptor, json.dumps(asdict(row)).encode() + b"\n")

    def close(self) -> None:
        """Close the file; every row is already in it."""
        os.close(self._descriptor)


class RowReader:
    """Follows the file that a Recorder writes, from the beginning."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._offset = 0

    def poll(self) -> list[RequestRow]:
        """The rows written since the last call, in order of completion; empty while there is no file."""
        if not self._path.exists():
            return []
        with self._path.open("rb") as file:
            file.seek(self._offset)
            complete = file.read().rpartition(b"\n")[0]
        self._offset += len(complete) + 1 if complete else 0
        return [RequestRow(**json.loads(line)) for line in complete.splitlines()]
