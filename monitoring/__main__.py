"""Front door: `python -m monitoring reference|drift|rules …`. See `--help` of each."""

import argparse
import sys
import traceback
from collections.abc import Sequence
from importlib import import_module

from monitoring.errors import MonitoringError

# Word → module with HELP, `add_arguments(parser)` and `run(options) -> int`.
COMMANDS = {
    "reference": "monitoring.reference",
    "drift": "monitoring.drift",
    "rules": "monitoring.rules",
    "dashboards": "monitoring.dashboards",
    "samples": "monitoring.samples",
}
NOTHING_KNOWN = 2


def main(words: Sequence[str]) -> int:
    """Run the command that the first word names and return the process's exit code.

    A defect of ours is 2 as well: Python's own 1 would pass for drift.
    """
    try:
        options = _parser().parse_args(words)
        return int(options.run(options))
    except MonitoringError as error:
        sys.stderr.write(f"monitoring: {error}\n")
    except KeyboardInterrupt:
        sys.stderr.write("monitoring: interrupted; nothing is half written.\n")
    except Exception:  # noqa: BLE001
        traceback.print_exc()
    return NOTHING_KNOWN


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m monitoring", description="Is it still right?")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for word, module_name in COMMANDS.items():
        module = import_module(module_name)
        command = commands.add_parser(word, help=module.HELP, description=module.HELP.capitalize() + ".")
        module.add_arguments(command)
        command.set_defaults(run=module.run)
    return parser


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
