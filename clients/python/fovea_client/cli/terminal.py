"""Lines on standard output, a progress bar on a terminal that standard error is."""

import json
import shutil
import sys
import time
from types import TracebackType
from typing import Any, Self, TextIO

_REDRAW_S = 0.1
_CLEAR_LINE = "\r\x1b[K"
_BAR_WIDTH = 24


def say(line: str, stream: TextIO | None = None) -> None:
    """Print one line at once."""
    stream = stream or sys.stdout
    # A file name may hold what the stream cannot say, or bytes that are no text; printing it must not end the run.
    encoding = stream.encoding or "utf-8"
    print(line.encode(encoding, "backslashreplace").decode(encoding), file=stream, flush=True)


def say_json(record: dict[str, Any]) -> None:
    """Print one line of JSON; what is no text in a file name stands as Python's escapes."""
    say(json.dumps(record))


class Progress:
    """A bar that counts to `total`; draws nothing where standard error is no terminal.

    Use it in a `with` block; `hide` it to print a line and `show` it again.
    """

    def __init__(self, total: int, unit: str, stream: TextIO | None = None) -> None:
        self._stream = stream or sys.stderr
        self._drawn = self._stream.isatty()
        self._total, self._unit, self._done = total, unit, 0
        self._started_s, self._last_s = time.monotonic(), 0.0

    def __enter__(self) -> Self:
        self.show()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.hide()

    def update(self, done: int, total: int) -> None:
        """So many of so many are done."""
        self._done, self._total = done, total
        if time.monotonic() - self._last_s >= _REDRAW_S:
            self.show()

    def hide(self) -> None:
        """Take the bar away, so that a line can be printed."""
        if self._drawn:
            self._write(_CLEAR_LINE)

    def show(self) -> None:
        """Draw the bar as it stands."""
        if self._drawn:
            self._last_s = time.monotonic()
            width = shutil.get_terminal_size().columns
            elapsed_s = self._last_s - self._started_s
            self._write(f"\r{bar(self._done, self._total, self._unit, elapsed_s)[: width - 1]}\x1b[K")

    def _write(self, text: str) -> None:
        self._stream.write(text)
        self._stream.flush()


def bar(done: int, total: int, unit: str, elapsed_s: float) -> str:
    """One line: how far, how many a second, how long it still takes at that rate."""
    filled = _BAR_WIDTH * done // max(total, 1)
    line = f"[{'#' * filled}{'.' * (_BAR_WIDTH - filled)}] {done}/{total} {unit}"
    if not done or elapsed_s <= 0:
        return line
    return f"{line}, {done / elapsed_s:.1f}/s, {_clock((total - done) * elapsed_s / done)} left"


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
