"""What the command `run` does, and the flags that say so."""

import argparse
from dataclasses import dataclass
from pathlib import Path

from loadtests.endpoint import Endpoint
from loadtests.errors import InvalidScheduleError
from loadtests.flags import add_endpoint_arguments, add_load_arguments, at_least_one, endpoint_from, load_from
from loadtests.generator import ALONE, DEFAULT_PORT, Workers
from loadtests.load import Load
from loadtests.slo import LoadProfile

DEFAULT_SLO = Path(__file__).with_name("slo.yaml")
DEFAULT_USERS = 8


@dataclass(frozen=True)
class RunSettings:
    """One run, complete: nothing is looked up elsewhere once this exists.

    Attributes:
        endpoint: who is asked.
        load: how much.
        workers: the load generators that share it.
        out: folder of the reports.
        slo: file of the objectives.
        profile: serving profile that the server runs, as it was told; "" for untold.
    """

    endpoint: Endpoint
    load: Load
    out: Path
    slo: Path
    workers: Workers = ALONE
    profile: str = ""


def add_run_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the flags of a run to a parser."""
    parser.add_argument("--url", required=True, metavar="HOST:PORT", help="gRPC address of the server")
    parser.add_argument("--slo", type=Path, default=DEFAULT_SLO, metavar="FILE", help="objectives and default load")
    parser.add_argument(
        "--out", type=Path, default=Path("build/loadtest"), metavar="DIR", help="reports (default: %(default)s)"
    )
    parser.add_argument(
        "--profile", default="", metavar="NAME", help="serving profile that the server runs; kept with the figures"
    )
    add_load_arguments(parser.add_argument_group("load"))
    add_closed_loop_arguments(parser.add_argument_group("closed loop, for comparison"))
    add_endpoint_arguments(parser.add_argument_group("endpoint"))
    generator = parser.add_argument_group("generator")
    generator.add_argument(
        "--processes", type=at_least_one, default=1, metavar="N", help="load generators here (default: %(default)s)"
    )
    generator.add_argument(
        "--workers",
        type=at_least_one,
        default=0,
        metavar="N",
        help="more of them connect from other machines, by `python -m loadtests worker`",
    )
    generator.add_argument(
        "--port", type=at_least_one, default=0, metavar="N", help=f"where they connect (default: {DEFAULT_PORT})"
    )


def add_closed_loop_arguments(parser: "argparse._ArgumentGroup") -> None:
    """Add the flags of a closed loop."""
    parser.add_argument(
        "--closed-loop", action="store_true", help="each user waits for an answer and asks again; hides stalls"
    )
    parser.add_argument(
        "--users", type=at_least_one, metavar="N", help=f"so many, with --closed-loop (default: {DEFAULT_USERS})"
    )


def settings_from(options: argparse.Namespace, load: LoadProfile) -> RunSettings:
    """The settings of parsed flags; the load that no flag gives comes from the file of objectives.

    Raises InvalidScheduleError for users of an open loop, which has none.
    """
    if options.users and not options.closed_loop:
        raise InvalidScheduleError("--users says how many share a closed loop: add --closed-loop, or give --rate.")
    options.closed_loop_users = (options.users or DEFAULT_USERS) if options.closed_loop else 0
    return RunSettings(
        endpoint_from(options),
        load_from(options, load.model_dump()),
        options.out,
        options.slo,
        Workers(options.processes, options.workers, options.port),
        options.profile,
    )
