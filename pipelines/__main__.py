"""Front door: `python -m pipelines COMMAND`, from the demo to promotion, rollback and retraining."""

import argparse
import signal
import sys
from pathlib import Path
from types import FrameType

from fovea_client import FoveaError
from rich.console import Console

from pipelines.champion.command import add_commands as add_champion
from pipelines.commands import Commands
from pipelines.errors import PipelineError, RefusedError
from pipelines.judging.command import add_commands as add_judging
from pipelines.retraining.command import add_commands as add_retraining
from pipelines.stack.command import add_commands as add_stack


def main(arguments: list[str] | None = None) -> int:
    """Run a command and return 0 done, 1 a stage failed, 2 wrong call, 3 refused, 130 or 143 stopped."""
    options = _parser().parse_args(arguments)
    console = Console(highlight=False, soft_wrap=True)
    # A stop from outside unwinds like Ctrl-C, so that stages and server are ended and not orphaned.
    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is not signal.SIG_IGN:  # nohup asked to go on
            signal.signal(number, _exit)
    try:
        options.run(options, console)
    except (PipelineError, FoveaError) as error:
        refused = isinstance(error, RefusedError)
        console.print(f"{'refused' if refused else 'error'}: {error}", style="red", markup=False)
        return RefusedError.STATUS if refused else 1
    except KeyboardInterrupt:
        console.print("interrupted; finished stages keep their results")
        return 130
    return 0


def _exit(number: int, _frame: FrameType | None) -> None:
    sys.exit(128 + number)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m pipelines")
    commands = Commands(parser.add_subparsers(required=True, metavar="COMMAND"))
    _add_demo(commands.add("demo", _demo, "the whole way on this machine"))
    served = commands.add("infer", _infer, "held-out pictures through a server")
    served.add_argument("--url", required=True, help="HOST:PORT of the server's gRPC")
    served.add_argument("--model", type=Path, default=Path("build/training/vessels"), help="a model folder")
    served.add_argument("--out", type=Path, default=Path("build/report"), help="where overlays and figures go")
    report = commands.add("report", _report, "the page about what was run")
    report.add_argument("--build", type=Path, default=Path("build"))
    for add in (add_judging, add_champion, add_retraining, add_stack):
        add(commands)
    return parser


def _add_demo(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--data", type=Path, help="a CHASE_DB1 or DRIVE folder; without it a synthetic set is drawn")
    parser.add_argument("--build", type=Path, default=Path("build"), help="where everything is written")
    parser.add_argument("--trainer", default="demo", help="one of training/conf/trainer")
    parser.add_argument("--subjects", type=int, default=12, help="people in the synthetic set")


def _demo(options: argparse.Namespace, console: Console) -> None:
    from pipelines.demo import DemoOptions, run_demo  # noqa: PLC0415 - Matplotlib takes seconds that --help need not wait

    run_demo(DemoOptions(options.data, options.build, options.trainer, options.subjects), console)


def _infer(options: argparse.Namespace, console: Console) -> None:
    from pipelines.infer import infer  # noqa: PLC0415 - as in _demo

    infer(options.url, options.model, options.out, console)


def _report(options: argparse.Namespace, console: Console) -> None:
    from pipelines.report import write_report  # noqa: PLC0415 - as in _demo

    console.print(f"report: {write_report(options.build, {})}")


if __name__ == "__main__":
    sys.exit(main())
