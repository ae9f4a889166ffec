"""Front door: `python -m loadtests [run|capacity|size|compare|soak|worker] …`. See `--help` of each."""

import sys
import traceback
from collections.abc import Callable, Mapping, Sequence
from importlib import import_module

from loadtests.errors import LoadTestError, UnknownCommandError
from loadtests.outcome import Outcome

# Where each command's function of the same name is. Imported when it is asked for, inside what answers Ctrl-C.
COMMANDS: Mapping[str, str] = {
    "run": "loadtests.run",
    "capacity": "loadtests.capacity.command",
    "size": "loadtests.capacity.size",
    "compare": "loadtests.compare.command",
    "soak": "loadtests.soak.command",
    "worker": "loadtests.worker",
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
        return _function(DEFAULT_COMMAND), arguments
    if arguments[0] not in COMMANDS:
        raise UnknownCommandError(f"'{arguments[0]}' is no command: use {' or '.join(COMMANDS)}.")
    return _function(arguments[0]), arguments[1:]


def _function(name: str) -> Callable[[Sequence[str]], int]:
    function: Callable[[Sequence[str]], int] = getattr(import_module(COMMANDS[name]), name)
    return function


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
