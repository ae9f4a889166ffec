"""The front door's commands: each package of `pipelines` adds its own."""

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any

from rich.console import Console

# As the Makefile has it for its default task.
CHAMPION = Path("champions/vessels/model_repository")
Run = Callable[[argparse.Namespace, Console], None]


class Commands:
    """Where commands are added to."""

    def __init__(self, subparsers: "argparse._SubParsersAction[Any]") -> None:
        self._subparsers = subparsers

    def add(self, name: str, run: Run, about: str) -> argparse.ArgumentParser:
        """Add a command and return its parser, for its flags."""
        formatter = argparse.ArgumentDefaultsHelpFormatter
        parser: argparse.ArgumentParser = self._subparsers.add_parser(
            name, help=about, description=about, formatter_class=formatter
        )
        parser.set_defaults(run=run)
        return parser


def add_champion(parser: argparse.ArgumentParser) -> None:
    """Add the flag that names the champion."""
    parser.add_argument("--champion", type=Path, default=CHAMPION, help="the link to the release that serves")
