"""Grafana dashboards as code. The Helm chart carries what this writes; a test holds the two equal."""

import argparse
from pathlib import Path

from monitoring.dashboards.cost import COST
from monitoring.dashboards.drift import DRIFT
from monitoring.dashboards.endpoint import ENDPOINT
from monitoring.dashboards.panel import Board
from monitoring.dashboards.pictures import INPUTS, PREDICTIONS
from monitoring.errors import OutputError

HELP = "write the Grafana dashboards"
BOARDS: tuple[Board, ...] = (ENDPOINT, INPUTS, PREDICTIONS, DRIFT, COST)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what `run` reads."""
    parser.add_argument("--out", type=Path, default=Path("build/monitoring/dashboards"), help="a folder")


def run(options: argparse.Namespace) -> int:
    """Write one JSON file for each board and return 0.

    Raises:
        OutputError: a file cannot be written.
    """
    # Grafana's builders take a moment to import; the other commands need none of them.
    from monitoring.dashboards.build import to_json  # noqa: PLC0415

    try:
        options.out.mkdir(parents=True, exist_ok=True)
        for board in BOARDS:
            (options.out / file_name(board)).write_text(to_json(board))
    except OSError as error:
        raise OutputError(f"{options.out} cannot be written ({error}); name another --out") from error
    return 0


def file_name(board: Board) -> str:
    """Return the name of the board's file."""
    return f"{board.uid.removeprefix('fovea-')}.json"
