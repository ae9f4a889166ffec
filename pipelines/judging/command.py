"""The commands `freeze`, `judge` and `gate`."""

import argparse
from pathlib import Path

from rich.console import Console

from pipelines.commands import Commands, add_champion
from pipelines.errors import RefusedError


def add_commands(commands: Commands) -> None:
    """Add them to the front door."""
    frozen = commands.add("freeze", _freeze, "a test set of a model folder's held-out pictures, sealed")
    frozen.add_argument("--model", type=Path, required=True, help="a model folder of `python -m training`")
    frozen.add_argument("--to", type=Path, required=True, help="the test set, a folder that is not there yet")
    frozen.add_argument("--slices", type=Path, metavar="FILE", help="own slices, JSON of slice → names of pictures")
    _add_judge(commands.add("judge", _judge, "may the challenger replace the champion? 3 if not"))
    _add_gate(commands.add("gate", _gate, "serve a release and hold it to its objectives; 3 if it misses one"))


def _add_judge(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--challenger", type=Path, required=True, help="a placed release")
    add_champion(parser)
    parser.add_argument("--test-set", type=Path, required=True, help="a frozen test set, see freeze")
    parser.add_argument("--out", type=Path, default=Path("build/judge"), help="verdict.json and what it rests on")
    parser.add_argument("--model", type=Path, help="the challenger's model folder: whom was it trained on?")
    parser.add_argument("--profile", default="default", help="serving profile of both")
    parser.add_argument("--margin", type=float, default=0.01, help="how much worse over all pictures counts as none")
    parser.add_argument("--slice-margin", type=float, default=0.02, help="the same for a slice")
    parser.add_argument("--comparison", action="append", default=[], metavar="WORD", help="more for loadtests compare")
    parser.add_argument("--no-latency", action="store_true", help="leave latency to the load-test gate")


def _add_gate(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--release", type=Path, required=True, help="a placed release")
    parser.add_argument("--task", default="vessels")
    parser.add_argument("--profile", default="default")
    parser.add_argument("--images", type=Path, required=True, help="folder of encoded pictures")
    parser.add_argument("--out", type=Path, default=Path("build/gate"), help="reports")
    parser.add_argument("--load-test", action="append", default=[], metavar="WORD", help="more for loadtests run")


def _freeze(options: argparse.Namespace, console: Console) -> None:
    from pipelines.judging.frozen import freeze  # noqa: PLC0415 - OpenCV takes time that --help need not wait

    made = freeze(options.model, options.to, options.slices)
    slices = ", ".join(f"{name} ({len(members)})" for name, members in made.slices.items())
    console.print(f"{len(made.pictures)} pictures frozen in {options.to}; slices: {slices}")


def _judge(options: argparse.Namespace, console: Console) -> None:
    from pipelines.judging.gates import Margins  # noqa: PLC0415 - as in _freeze
    from pipelines.judging.judge import Question, judge  # noqa: PLC0415

    question = Question(
        options.challenger,
        options.champion,
        options.test_set,
        options.out,
        options.profile,
        options.model,
        Margins(options.margin, options.slice_margin),
        options.comparison,
        not options.no_latency,
    )
    verdict = judge(question, console)
    if not verdict.passed:
        raise RefusedError(f"{verdict.challenger} is refused: {verdict.why}")
    console.print(f"{verdict.challenger} may be promoted: {verdict.why}")


def _gate(options: argparse.Namespace, console: Console) -> None:
    from pipelines.judging.load_gate import hold_to_objectives  # noqa: PLC0415 - as in _freeze

    hold_to_objectives(
        options.release, options.task, options.profile, options.images, options.out, options.load_test, console
    )
