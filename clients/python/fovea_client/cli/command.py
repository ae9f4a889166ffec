"""From the process's arguments to its exit status."""

import os
import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from types import FrameType

from fovea_client.cli.exits import Exit, exit_for
from fovea_client.cli.parser import build_parser
from fovea_client.cli.terminal import say
from fovea_client.errors import FoveaError


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command with `argv`, by default the process's own arguments; returns the exit status."""
    arguments = build_parser(os.environ).parse_args(argv)
    try:
        with _ended_by_sigterm():
            return int(arguments.command(arguments))
    except FoveaError as error:
        say(f"fovea: {error}", sys.stderr)
        return exit_for(error)
    except KeyboardInterrupt:
        say("fovea: interrupted", sys.stderr)
        return Exit.INTERRUPTED
    except OSError as error:
        # Standard output takes no more. A reader that went away (`fovea models | head -1`) knows; a full disk is news.
        if not isinstance(error, BrokenPipeError):
            say(f"fovea: standard output cannot be written to ({error.strerror})", sys.stderr)
        # Python would complain again when it flushes at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return Exit.FAILED


@contextmanager
def _ended_by_sigterm() -> Iterator[None]:
    """Inside, SIGTERM ends the process by an exception, so that files that are not whole are removed."""

    def end(number: int, frame: FrameType | None) -> None:  # noqa: ARG001 - the signal module's interface
        raise SystemExit(Exit.TERMINATED)

    # Signals belong to the main thread; elsewhere nothing is changed.
    before = None
    with suppress(ValueError):
        before = signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        if before is not None:
            signal.signal(signal.SIGTERM, before)
