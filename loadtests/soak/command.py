"""The command `soak`: a steady load for long, and whether anything of the server or its latency rises for good."""

import argparse
import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rich.console import Console

from loadtests.drive import Driver, Load, drive
from loadtests.flags import at_least_one, positive
from loadtests.junit_questions import JUNIT_FILE, cases_text
from loadtests.machine import describe_machine
from loadtests.output import prepare_folder, write_whole
from loadtests.page import PAGE_FILE, page_html
from loadtests.pages.soak import soak_page
from loadtests.question import Examiner, Release, add_question_arguments, examination, load_of
from loadtests.served import Served
from loadtests.slo import Slo, read_slo
from loadtests.soak.cases import cases_of
from loadtests.soak.document import soak_text
from loadtests.soak.drift import latency_series
from loadtests.soak.judgement import WATCHED, find_trends, judge_soak
from loadtests.soak.terminal import Progress, print_soak
from loadtests.soak.watcher import Watcher

SOAK_FILE = "soak.json"
# Of the judged time, before it: arenas and caches of a server that was just started fill, which is no leak.
SETTLING_SHARE = 0.1


def soak(arguments: Sequence[str], driver: Driver = drive) -> int:
    """Soak and return the exit code: 0 steady, 1 rising or objectives missed, 2 invalid. Raises LoadTestError."""
    options = _parser().parse_args(arguments)
    prepare_folder(options.out, [SOAK_FILE, JUNIT_FILE, PAGE_FILE])
    slo = read_slo(options.slo, options.task)
    load = _load(options, slo)
    with examination(options, [_wanted(options)], slo, load, driver) as ((served,), examiner):
        return _soak(options, load, served, examiner)


def _soak(options: argparse.Namespace, load: Load, served: Served, examiner: Examiner) -> int:
    console = Console()
    watcher = Watcher(served, options.task, options.sample_s)
    progress = Progress(console, load.span_s)

    def on_tick() -> None:
        watcher.tick()
        progress.tick()

    run = examiner.ask_anyway(served, load, on_tick)
    series = [*watcher.series(load.warm_up_s), *latency_series(run.driven.measured)]
    findings = find_trends(
        [replace(each, watched=options.allow.get(each.watched.name, each.watched)) for each in series]
    )
    verdict = judge_soak(run.verdict, findings)
    file = options.out / SOAK_FILE
    notes = (*sorted(watcher.lost), *_not_watched(served))
    text = soak_text(verdict, run.verdict, findings, series, _conditions(options, load, served, notes))
    write_whole(file, text)
    write_whole(options.out / PAGE_FILE, page_html(soak_page(json.loads(text))))
    write_whole(options.out / JUNIT_FILE, cases_text(f"soak.{options.task}", cases_of(run.verdict, findings)))
    print_soak(console, verdict, findings, notes, file)
    return verdict.outcome.exit_code


def _load(options: argparse.Namespace, slo: Slo) -> Load:
    load = load_of(options, slo.load)
    settled_s = max(load.warm_up_s, SETTLING_SHARE * options.duration_s)
    return replace(
        load,
        rate_rps=options.rate_rps or load.rate_rps,
        duration_s=options.duration_s,
        warm_up_s=settled_s if options.warm_up_s is None else options.warm_up_s,
    )


def _not_watched(served: Served) -> tuple[str, ...]:
    """What nobody looked at must not pass for steady."""
    notes = []
    if served.pid is None:
        notes.append("Memory and file descriptors were not watched: give --pid of a server on this machine.")
    if served.metrics_url is None:
        notes.append("The queue was not watched: give --metrics-url.")
    return tuple(notes)


def _conditions(options: argparse.Namespace, load: Load, served: Served, notes: Sequence[str]) -> dict[str, Any]:
    return {
        "created_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "task": options.task,
        "load": {
            "rate_rps": load.rate_rps,
            "duration_s": load.duration_s,
            "warm_up_s": load.warm_up_s,
            "arrivals": load.arrivals,
            "seed": load.seed,
        },
        "server": {"url": served.url, "profile": served.profile, "release": served.release},
        "not_watched": list(notes),
        "machine": describe_machine(),
    }


def _wanted(options: argparse.Namespace) -> Served | Release:
    if options.repository is not None:
        return Release(options.repository, options.profile)
    return Served(options.url, metrics_url=options.metrics_url, pid=options.pid)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m loadtests soak",
        description="Keep a steady load up and fail when memory, file descriptors, queue or latency rise for good.",
        epilog="A rise counts when it is significant, larger than allowed and goes on in the second half. Exits with 0 "
        f"when nothing rises, 1 when something does or an objective is missed, 2 when the run is invalid. Writes "
        f"{SOAK_FILE} and {PAGE_FILE} below --out.",
    )
    where = parser.add_mutually_exclusive_group(required=True)
    where.add_argument("--url", metavar="HOST:PORT", help="gRPC address of a running server")
    where.add_argument("--repository", type=Path, metavar="DIR", help="a placed release, served here for the soak")
    parser.add_argument("--profile", default="default", metavar="NAME", help="of the release (default: %(default)s)")
    parser.add_argument("--metrics-url", metavar="URL", help="Triton's metrics, http://HOST:8002/metrics")
    parser.add_argument("--pid", type=at_least_one, metavar="N", help="the server's process, when it runs here")
    _add_soak_arguments(parser.add_argument_group("soak"))
    add_question_arguments(parser, out="build/soak")
    return parser


def _add_soak_arguments(soaking: "argparse._ArgumentGroup") -> None:
    soaking.add_argument("--rate", dest="rate_rps", type=positive, metavar="RPS", help="(default: the objectives' own)")
    soaking.add_argument("--duration-s", type=positive, default=600.0, metavar="S", help="(default: %(default)s)")
    soaking.add_argument("--sample-s", type=positive, default=1.0, metavar="S", help="(default: %(default)s)")
    names = ", ".join(f"'{watched.name}'" for watched in WATCHED)
    soaking.add_argument(
        "--allow", action=_Allow, default={}, metavar="NAME=RISE", help=f"another limit, in its unit, for {names}"
    )


class _Allow(argparse.Action):
    """Gathers NAME=RISE as watched quantities by name."""

    def __call__(self, parser: argparse.ArgumentParser, namespace: argparse.Namespace, *rest: Any) -> None:
        name, _, text = str(rest[0]).partition("=")
        known = {watched.name: watched for watched in WATCHED}
        try:
            allowed = {name: replace(known[name], rise=float(text), share=0.0)}
        except (KeyError, ValueError):
            parser.error(f"argument --allow: {rest[0]!r} is not NAME=RISE with a NAME of {', '.join(known)}")
        setattr(namespace, self.dest, {**getattr(namespace, self.dest), **allowed})
