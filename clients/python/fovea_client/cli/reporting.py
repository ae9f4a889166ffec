"""What a command says of many images: a line or a JSON line each, a count of failures, the exit status."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from fovea_client.cli.exits import Exit
from fovea_client.cli.terminal import Progress, say, say_json
from fovea_client.client import Client
from fovea_client.errors import DeadlineExceededError, FoveaError, ServerUnavailableError


class Report:
    """Says what became of image `number` of `total`, counted from 1.

    Args:
        total: how many images there are.
        progress: the bar above which lines are printed.
        as_json: print JSON lines on standard output, failures too, instead of lines for people.
        counts: whether an image is a step of the bar; with tiles the bar counts those.
        keep: also given every record that is not skipped.
    """

    def __init__(
        self,
        total: int,
        progress: Progress,
        *,
        as_json: bool,
        counts: bool = True,
        keep: Callable[[dict[str, Any]], None] | None = None,
    ) -> None:
        self.progress = progress
        self._total, self._as_json, self._counts, self._keep = total, as_json, counts, keep
        self._failed = self._seen = 0

    def done(self, number: int, image: Path, line: str, record: dict[str, Any]) -> None:
        """The image is done; `line` says it to people, `record` to programs."""
        self._say(number, {"image": str(image), "status": "done"} | record, f"{image}: {line}")

    def skipped(self, number: int, image: Path) -> None:
        """The image was done by an earlier run."""
        self._say(number, {"image": str(image), "status": "skipped"}, f"{image}: done before")

    def failed(self, number: int, image: Path, error: FoveaError) -> None:
        """The image failed; the others go on."""
        self._failed += 1
        record = {"image": str(image), "status": "failed", "error": type(error).__name__, "message": str(error)}
        self._say(number, record, f"{image} failed: {error}", failed=True)

    def close(self) -> Exit:
        """Say how many failed; returns the exit status."""
        if not self._failed:
            return Exit.DONE
        say(f"fovea: {self._failed} of {self._total} images failed", sys.stderr)
        return Exit.FAILED

    @property
    def seen(self) -> str:
        """How far it came, in words."""
        return f"{self._seen} of {self._total} images were dealt with, {self._failed} of them failed"

    def _say(self, number: int, record: dict[str, Any], line: str, *, failed: bool = False) -> None:
        self._seen = number
        if self._keep is not None and record["status"] != "skipped":
            self._keep(record)
        self.progress.hide()
        if self._as_json:
            say_json(record)
        else:
            say(f"[{number}/{self._total}] {line}", sys.stderr if failed else None)
        if self._counts:
            self.progress.update(number, self._total)
        self.progress.show()


def require_reachable(client: Client, error: FoveaError | None, report: Report) -> None:
    """End the command where a failure is the server's absence: every other image would wait for its deadline too.

    Raises:
        ServerUnavailableError: the server cannot be reached.
    """
    if isinstance(error, ServerUnavailableError | DeadlineExceededError) and not client.ready():
        raise ServerUnavailableError(
            f"{error}; {report.seen}: run it again with --resume", model=error.model, status=error.status
        ) from error
