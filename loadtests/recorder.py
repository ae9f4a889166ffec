"""Every request of a run, in nanoseconds, on disk within a second of its end.

Locust's own statistics round to a millisecond and more and live in memory; these rows survive a killed generator.
What the rows mean is left to `measurements`.

A request is one binary record of ROW. The sentences about what went wrong stand once each in a file of their own, so
that a request costs the generator one small `struct.pack`.
"""

import json
import os
import struct
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

ROWS_FILE = "requests.rows"
ERRORS_FILE = "errors.jsonl"
# One request: its number in the schedule; when it was due, sent and finished, in nanoseconds after the start of the
# schedule; the number of its image; RIGHT for a right answer or the number of a sentence about what was wrong.
ROW = np.dtype(
    [("index", "i8"), ("intended_ns", "i8"), ("sent_ns", "i8"), ("finished_ns", "i8"), ("image", "i4"), ("error", "i4")]
)
Rows = NDArray[np.void]
RIGHT = -1
# A server that words every failure anew must not fill the disk; what is beyond is counted under the last sentence.
MAX_SENTENCES = 1000
OTHER = "another error, of more kinds than are kept apart"
_RECORD = struct.Struct("<qqqqii")


@dataclass(frozen=True, eq=False)
class Recording:
    """The requests of a run: `rows` of ROW, shape [N], in order of completion; `errors` are the sentences they name."""

    rows: Rows
    errors: tuple[str, ...] = ()

    @property
    def latency_ns(self) -> NDArray[np.int64]:
        """From the intended send time, so that time spent waiting to be sent counts; int64 [N]."""
        latency: NDArray[np.int64] = self.rows["finished_ns"] - self.rows["intended_ns"]
        return latency

    @property
    def lag_ns(self) -> NDArray[np.int64]:
        """How late the generator itself was; int64 [N]."""
        lag: NDArray[np.int64] = self.rows["sent_ns"] - self.rows["intended_ns"]
        return lag

    @property
    def failed(self) -> NDArray[np.bool_]:
        """Whether a request got no right answer; bool [N]."""
        failed: NDArray[np.bool_] = self.rows["error"] != RIGHT
        return failed

    def since(self, intended_ns: int) -> "Recording":
        """The requests that were due at that time or later: what is left without a warm-up."""
        return Recording(self.rows[self.rows["intended_ns"] >= intended_ns], self.errors)

    def __len__(self) -> int:
        return len(self.rows)


EMPTY = Recording(np.empty(0, ROW))


class RowBuffer:
    """Rows that wait to be written or sent, packed. One thread appends while another one takes."""

    def __init__(self) -> None:
        self._rows: deque[bytes] = deque()
        self._sentences: deque[str] = deque()
        self._numbers: dict[str, int] = {}

    def append(self, index: int, times_ns: tuple[int, int, int], image: int, error: str | None) -> None:
        """Add one request; `times_ns` are when it was due, sent and finished."""
        # The sentence goes first: whoever takes the row finds it.
        number = RIGHT if error is None else self.number(error)
        self._rows.append(_RECORD.pack(index, *times_ns, image, number))

    def extend(self, rows: Rows, errors: Sequence[str]) -> None:
        """Add rows of another buffer, whose sentences are `errors`."""
        numbers = np.array([*map(self.number, errors), RIGHT], dtype=np.int32)
        own = rows.copy()
        own["error"] = numbers[rows["error"]]
        self._rows.append(own.tobytes())

    def take(self) -> tuple[bytes, list[str]]:
        """The rows since the last call as bytes, and the sentences that are new to them."""
        rows = b"".join(self._rows.popleft() for _ in range(len(self._rows)))
        return rows, [self._sentences.popleft() for _ in range(len(self._sentences))]

    def number(self, error: str) -> int:
        """The place of a sentence among all that were taken or will be."""
        if error not in self._numbers and len(self._numbers) >= MAX_SENTENCES - 1:
            error = OTHER
        if error not in self._numbers:
            self._sentences.append(error)
            self._numbers[error] = len(self._numbers)
        return self._numbers[error]


class Recorder(RowBuffer):
    """Appends rows to the files of a folder; opening it empties them. Call `flush` every second, `close` at the end."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND
        self._rows_file = os.open(folder / ROWS_FILE, flags, 0o644)
        self._errors_file = os.open(folder / ERRORS_FILE, flags, 0o644)

    def flush(self) -> None:
        """Write what waits with one system call each: a reader sees whole rows, also when the writer is killed."""
        rows, sentences = self.take()
        if sentences:
            os.write(self._errors_file, b"".join(json.dumps(sentence).encode() + b"\n" for sentence in sentences))
        if rows:
            os.write(self._rows_file, rows)

    def close(self) -> None:
        """Write what is left and close the files."""
        self.flush()
        os.close(self._rows_file)
        os.close(self._errors_file)


class RowReader:
    """Follows the files that a Recorder writes, from the beginning."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._offset = 0

    def poll(self) -> Rows:
        """The rows written since the last call, in order of completion; none while there is no file."""
        path = self._folder / ROWS_FILE
        if not path.exists():
            return EMPTY.rows
        with path.open("rb") as file:
            file.seek(self._offset)
            data = file.read()
        rows = np.frombuffer(data[: len(data) // ROW.itemsize * ROW.itemsize], ROW)
        self._offset += rows.nbytes
        return rows


def read_recording(folder: Path) -> Recording:
    """What a Recorder wrote there; nothing when it wrote nothing."""
    rows = RowReader(folder).poll()
    path = folder / ERRORS_FILE
    text = path.read_text(encoding="utf-8") if path.exists() else ""
    # A sentence is written before the first row that names it; a torn one belongs to no row.
    complete = text[: text.rfind("\n") + 1]
    return Recording(rows, tuple(json.loads(line) for line in complete.splitlines()))
