"""The command `stack`."""

import argparse
from pathlib import Path

from rich.console import Console

from pipelines.commands import Commands
from pipelines.stack.ports import USUAL, port
from pipelines.stack.services import OPTIONAL, StackOptions


def add_commands(commands: Commands) -> None:
    """Add it to the front door."""
    parser = commands.add("stack", _stack, "Triton, MLflow, Prometheus and the dashboard on this machine, until Ctrl-C")
    parser.add_argument("--build", type=Path, default=Path("build"), help="has the release; everything is written here")
    parser.add_argument("--profile", default="default", help="serving profile: default, cpu, torchscript, …")
    parser.add_argument("--samples", type=Path, metavar="DIR", help="pictures that the dashboard offers")
    parser.add_argument(
        "--without", action="append", default=[], choices=OPTIONAL, help="leave a service out; repeatable"
    )
    usual = ", ".join(f"{name} {number}" for name, number in USUAL.items())
    parser.add_argument(
        "--port",
        dest="ports",
        action="append",
        default=[],
        type=port,
        metavar="NAME=NUMBER",
        help=f"instead of the usual one, or a free one where that is taken ({usual}); 0 for any free one",
    )
    parser.add_argument("--start-timeout-s", type=float, default=300.0, help="until every service answers")


def _stack(options: argparse.Namespace, console: Console) -> None:
    from pipelines.stack.stack import run_stack  # noqa: PLC0415 - --help need not wait

    run_stack(
        StackOptions(
            options.build,
            options.profile,
            options.samples,
            dict(options.ports),
            frozenset(options.without),
            options.start_timeout_s,
        ),
        console,
    )
