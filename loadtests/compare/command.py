"""The command `compare`: is B slower than A? For regression gates on machines that are never quiet."""

import argparse
import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rich.console import Console

from loadtests.compare.document import comparison_text
from loadtests.compare.judgement import FEWEST_PAIRS, Gate
from loadtests.compare.measure import TrySlice, measure_pairs
from loadtests.compare.order import SIDES
from loadtests.compare.terminal import print_comparison, print_pair
from loadtests.drive import Driver, Load, drive
from loadtests.errors import InvalidScheduleError
from loadtests.flags import positive
from loadtests.judged import Judged
from loadtests.junit_questions import JUNIT_FILE, Case, cases_text
from loadtests.machine import describe_machine
from loadtests.measurements import QUANTILES
from loadtests.output import prepare_folder, write_whole
from loadtests.page import PAGE_FILE, page_html
from loadtests.pages.compare import compare_page
from loadtests.question import Examiner, Release, add_question_arguments, examination, load_of, share
from loadtests.served import Served
from loadtests.slo import Slo, read_slo

COMPARISON_FILE = "compare.json"
# A median of fewer requests wanders so much that more pairs are cheaper than longer ones.
FEWEST_REQUESTS = 10


def compare(arguments: Sequence[str], driver: Driver = drive) -> int:
    """Compare and return the exit code: 0 not slower, 1 slower or failing, 2 undecided. Raises LoadTestError."""
    options = _parser().parse_args(arguments)
    prepare_folder(options.out, [COMPARISON_FILE, JUNIT_FILE, PAGE_FILE])
    slo = read_slo(options.slo, options.task)
    load = _slice_load(options, slo)
    with examination(options, _wanted(options), slo, load, driver) as (servers, examiner):
        return _compare(options, slo, load, servers, examiner)


def _compare(options: argparse.Namespace, slo: Slo, load: Load, servers: Sequence[Served], examiner: Examiner) -> int:
    console = Console()
    gate = _gate(options, slo)
    pairs, comparison = measure_pairs(
        options.pairs,
        max(options.pairs, options.max_pairs),
        gate,
        _slice_trier(dict(zip(SIDES, servers, strict=True)), load, examiner),
        seed=options.seed,
        on_pair=lambda pairs: print_pair(console, pairs, gate),
    )
    file = options.out / COMPARISON_FILE
    text = comparison_text(comparison, pairs, gate, _conditions(options, load, servers))
    write_whole(file, text)
    write_whole(options.out / PAGE_FILE, page_html(compare_page(json.loads(text))))
    case = Case(f"b_not_slower_{gate.quantile}", comparison.answer.outcome, comparison.reason)
    write_whole(options.out / JUNIT_FILE, cases_text(f"compare.{options.task}", [case]))
    print_comparison(console, comparison, len(pairs), file)
    return comparison.answer.outcome.exit_code


def _slice_trier(servers: dict[str, Served], load: Load, examiner: Examiner) -> TrySlice:
    def try_slice(side: str, number: int) -> Judged | None:
        # The same schedule and images for both of a pair: what is left of their difference is the endpoints'.
        return examiner.ask(servers[side], replace(load, seed=load.seed + number))

    return try_slice


def _slice_load(options: argparse.Namespace, slo: Slo) -> Load:
    load = load_of(options, slo.load)
    rate_rps = options.rate_rps or load.rate_rps
    if rate_rps * options.slice_s < FEWEST_REQUESTS:
        raise InvalidScheduleError(
            f"At {rate_rps:g} requests/s a slice of {options.slice_s:g} s has fewer than {FEWEST_REQUESTS} requests: "
            "raise --rate or --slice-s."
        )
    warm_up_s = 1.0 if options.warm_up_s is None else options.warm_up_s
    return replace(load, rate_rps=rate_rps, duration_s=options.slice_s, warm_up_s=warm_up_s)


def _gate(options: argparse.Namespace, slo: Slo) -> Gate:
    return Gate(
        quantile=options.quantile,
        least_effect=options.least_effect,
        must_see=options.must_see,
        confidence=options.confidence,
        max_error_ratio=slo.objectives.error_ratio,
    )


def _conditions(options: argparse.Namespace, load: Load, servers: Sequence[Served]) -> dict[str, Any]:
    return {
        "created_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "task": options.task,
        "load": {
            "rate_rps": load.rate_rps,
            "slice_s": load.duration_s,
            "warm_up_s": load.warm_up_s,
            "arrivals": load.arrivals,
            "seed": load.seed,
        },
        "machine": describe_machine(),
        **{
            side: {"url": served.url, "profile": served.profile, "release": served.release}
            for side, served in zip(SIDES, servers, strict=True)
        },
    }


def _wanted(options: argparse.Namespace) -> list[Served | Release]:
    """A and B: a word that names a folder is a release, any other an address."""
    profiles = (options.profile_a, options.profile_b)
    return [
        Release(Path(word), profile) if Path(word).is_dir() else Served(word)
        for word, profile in zip((options.a, options.b), profiles, strict=True)
    ]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m loadtests compare",
        description="Measure A and B in turns and say whether B is slower, with a confidence interval.",
        epilog="Exits with 0 when B is not slower, 1 when it is slower or fails, 2 when the pairs do not tell. "
        f"Writes {COMPARISON_FILE} and {PAGE_FILE} below --out.",
    )
    for side, what in (("a", "what was"), ("b", "what shall be")):
        parser.add_argument(f"--{side}", required=True, metavar="SERVER", help=f"HOST:PORT or a placed release: {what}")
        parser.add_argument(
            f"--profile-{side}", default="default", metavar="NAME", help="of a release (default: %(default)s)"
        )
    _add_gate_arguments(parser.add_argument_group("gate"))
    add_question_arguments(parser, out="build/compare")
    return parser


def _add_gate_arguments(gate: "argparse._ArgumentGroup") -> None:
    gate.add_argument("--rate", dest="rate_rps", type=positive, metavar="RPS", help="of both (default: objectives')")
    gate.add_argument("--slice-s", type=positive, default=5.0, metavar="S", help="half a pair (default: %(default)s)")
    for flag, default, meaning in (
        ("--pairs", 16, "before the first look"),
        ("--max-pairs", 48, "while the answer is undecided"),
    ):
        gate.add_argument(flag, type=_pairs, default=default, metavar="N", help=f"{meaning} (default: %(default)s)")
    gate.add_argument(
        "--quantile", choices=tuple(QUANTILES), default="p50", help="latency that is gated (default: %(default)s)"
    )
    for word, effect, meaning in (
        ("--least-effect", 0.03, "a smaller slowdown counts as none"),
        ("--must-see", 0.10, "undecided while such a slowdown cannot be excluded"),
    ):
        gate.add_argument(word, type=share, default=effect, metavar="X", help=f"{meaning} (default: %(default)s)")
    gate.add_argument(
        "--confidence", type=float, choices=(0.9, 0.95, 0.99), default=0.95, help="of the intervals (default: 0.95)"
    )


def _pairs(text: str) -> int:
    if (count := int(text)) < FEWEST_PAIRS:
        raise argparse.ArgumentTypeError(f"{text} pairs are too few, {FEWEST_PAIRS} are the least")
    return count
