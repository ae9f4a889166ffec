"""The command `capacity`: searches the highest arrival rate that meets the objectives, writes capacity.json."""

import argparse
import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rich.console import Console

from loadtests.capacity.document import capacity_text
from loadtests.capacity.measure import load_at_target, search_all
from loadtests.capacity.search import Plan
from loadtests.capacity.terminal import print_searches, print_trial
from loadtests.capacity.verdict import verdict_of
from loadtests.drive import Driver, Load, drive
from loadtests.errors import InvalidCapacityError
from loadtests.flags import at_least_one, positive
from loadtests.judged import Judged
from loadtests.junit_questions import JUNIT_FILE, cases_text
from loadtests.machine import describe_machine
from loadtests.outcome import Outcome
from loadtests.output import prepare_folder, write_whole
from loadtests.page import PAGE_FILE, page_html
from loadtests.pages.capacity import capacity_page
from loadtests.question import Examiner, Release, add_question_arguments, examination, load_of, share
from loadtests.served import Served
from loadtests.slo import Slo, read_slo

CAPACITY_FILE = "capacity.json"
# Of the first rate: what serves less than a 64th of it will not do, whatever it is.
FLOOR_SHARE = 1 / 64
# Nor will what needs longer trials: at a 64th of two requests a second, the last one alone would take two hours.
LONGEST_TRIAL_S = 600.0


def capacity(arguments: Sequence[str], driver: Driver = drive) -> int:
    """Search and return the exit code: 0 found and enough, 1 not enough, 2 not found. Raises LoadTestError."""
    options = _parser().parse_args(arguments)
    prepare_folder(options.out, [CAPACITY_FILE, JUNIT_FILE, PAGE_FILE])
    slo = read_slo(options.slo, options.task)
    load = load_of(options, slo.load)
    with examination(options, _wanted(options), slo, load, driver) as (servers, examiner):
        outcome = _measure(options, slo, load, servers, examiner)
    return outcome.exit_code


def _measure(
    options: argparse.Namespace, slo: Slo, load: Load, servers: Sequence[Served], examiner: Examiner
) -> Outcome:
    console = Console()
    plan = _plan(options, slo)
    try_rate = _rate_trier(options, load, examiner)
    searches = search_all(
        servers, plan, try_rate, is_ready=examiner.is_ready, on_trial=lambda search: print_trial(console, search)
    )
    for search in searches:
        load_at_target(search, options.utilisation, try_rate)
    conditions = _conditions(options, slo, load)
    text = capacity_text(searches, plan, conditions)
    write_whole(options.out / CAPACITY_FILE, text)
    verdict = verdict_of(searches, options.at_least)
    page = capacity_page(json.loads(text), verdict.outcome, verdict.reasons)
    write_whole(options.out / PAGE_FILE, page_html(page))
    write_whole(options.out / JUNIT_FILE, cases_text(f"capacity.{options.task}", verdict.cases))
    print_searches(console, searches, verdict, options.out / CAPACITY_FILE)
    return verdict.outcome


def _rate_trier(
    options: argparse.Namespace, load: Load, examiner: Examiner
) -> Callable[[Served, float, int], Judged | None]:
    def try_rate(served: Served, rate_rps: float, number: int) -> Judged | None:
        # As many requests as a high quantile needs, however slow the server; a seed of its own, or luck would repeat.
        duration_s = max(options.trial_s or load.duration_s, options.trial_requests / rate_rps)
        return examiner.ask(served, replace(load, rate_rps=rate_rps, duration_s=duration_s, seed=load.seed + number))

    return try_rate


def _plan(options: argparse.Namespace, slo: Slo) -> Plan:
    start_rps = min(options.start_rps or slo.load.rate_rps, options.ceiling_rps)
    return Plan(
        start_rps=start_rps,
        floor_rps=min(start_rps, max(start_rps * FLOOR_SHARE, options.trial_requests / LONGEST_TRIAL_S)),
        ceiling_rps=options.ceiling_rps,
        precision=options.precision,
        max_trials=options.max_trials,
    )


def _conditions(options: argparse.Namespace, slo: Slo, load: Load) -> dict[str, Any]:
    return {
        "created_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "task": options.task,
        "objectives": slo.objectives.model_dump(exclude_none=True),
        "load": {
            "trial_s": options.trial_s or load.duration_s,
            "trial_requests": options.trial_requests,
            "warm_up_s": load.warm_up_s,
            "arrivals": load.arrivals,
            "utilisation": options.utilisation,
        },
        "machine": {"label": options.machine, "generator": describe_machine(), "server_here": bool(options.repository)},
    }


def _wanted(options: argparse.Namespace) -> list[Served | Release]:
    profiles, instances = options.profiles or [""], options.instances or [None]
    if options.repository is None:
        # A server that runs already is what it is; the flags only name it.
        if len(profiles) > 1 or len(instances) > 1:
            raise InvalidCapacityError("the server at --url has one profile and one number of instances: name these.")
        return [Served(options.url, profiles[0], instances[0])]
    return [Release(options.repository, profile or "default", count) for profile in profiles for count in instances]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m loadtests capacity",
        description="Search the highest arrival rate at which the objectives still hold, by repeated trials.",
        epilog="Exits with 0 when a capacity was found (and is at least --at-least), 1 when it is less or no rate met "
        f"the objectives, 2 when none was found. Writes {CAPACITY_FILE} and {PAGE_FILE} below --out; "
        "`loadtests size` reads the first.",
    )
    where = parser.add_mutually_exclusive_group(required=True)
    where.add_argument("--url", metavar="HOST:PORT", help="gRPC address of a running server")
    where.add_argument("--repository", type=Path, metavar="DIR", help="a placed release, served here for the search")
    parser.add_argument(
        "--profiles", nargs="+", metavar="NAME", help="serving profiles to search; with --url, what its server runs"
    )
    parser.add_argument(
        "--instances", nargs="+", type=at_least_one, metavar="N", help="instances of every network, each searched"
    )
    parser.add_argument(
        "--machine", default="", metavar="LABEL", help="the server's machine or node type, for the file"
    )
    parser.add_argument("--at-least", type=positive, metavar="RPS", help="a lower bound under this exits with 1")
    _add_search_arguments(parser.add_argument_group("search"))
    add_question_arguments(parser, out="build/capacity")
    return parser


def _add_search_arguments(search: "argparse._ArgumentGroup") -> None:
    search.add_argument("--start-rps", type=positive, metavar="RPS", help="first rate (default: the objectives' own)")
    for flag, default, meaning in (
        ("--ceiling-rps", 5000.0, "no rate above is tried"),
        ("--trial-requests", 200.0, "the fewest requests of a trial"),
        ("--precision", 0.2, "the width of the interval that ends the search, as a share"),
    ):
        search.add_argument(flag, type=positive, default=default, metavar="X", help=f"{meaning} (default: %(default)s)")
    search.add_argument("--trial-s", type=positive, metavar="S", help="the least length of a trial (default: theirs)")
    search.add_argument(
        "--max-trials", type=at_least_one, default=24, metavar="N", help="of each server (default: %(default)s)"
    )
    search.add_argument(
        "--utilisation", type=share, default=0.7, metavar="X",
        help="share of the capacity that a replica shall carry (default: %(default)s)",
    )  # fmt: skip
