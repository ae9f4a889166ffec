"""Front door: `python -m loadtests [run|capacity|size|compare|soak|worker] …`. See `--help` of each."""

import sys
import traceback
from collections.abc import Callable, Mapping, Sequence

from loadtests.capacity.command import capacity
from loadtests.capacity.size import size
from loadtests.compare.command import compare
from loadtests.errors import LoadTestError, UnknownCommandError
from loadtests.run import run
from loadtests.soak.command import soak
from loadtests.verdict import Outcome
from loadtests.worker import worker

COMMANDS: Mapping[str, Callable[[Sequence[str]], int]] = {
    "run": run,
    "capacity": capacity,
    "size": size,
    "compare": compare,
    "soak": soak,
    "worker": worker,
}
DEFAULT_COMMAND = "run"


def main(arguments: Sequence[str]) -> int:
    """Run the command that the first word names, or the default one, and return the process's exit code.

    A defect of the load test itself is INVALID as well: Python's own 1 would blame the server.
    """
    try:
        command, rest = _command(arguments)
        return command(rest)
    except LoadTestError as error:
        sys.stderr.write(f"loadtests: {error}\n")
    except KeyboardInterrupt:
        sys.stderr.write("loadtests: interrupted before anything was measured.\n")
    except Exception:  # noqa: BLE001
        traceback.print_exc()
    return Outcome.INVALID.exit_code


def _command(arguments: Sequence[str]) -> tuple[Callable[[Sequence[str]], int], Sequence[str]]:
    if not arguments or arguments[0].startswith("-"):
        return COMMANDS[DEFAULT_COMMAND], arguments
    if arguments[0] not in COMMANDS:
        raise UnknownCommandError(f"'{arguments[0]}' is no command: use {' or '.join(COMMANDS)}.")
    return COMMANDS[arguments[0]], arguments[1:]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
