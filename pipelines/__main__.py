"""Front door: `python -m pipelines demo|infer|report`."""

import argparse
import signal
import sys
from pathlib import Path
from types import FrameType

from fovea_client import FoveaError
from rich.console import Console

from pipelines.errors import PipelineError


def main(arguments: list[str] | None = None) -> int:
    """Run a command and return the exit status: 0 done, 1 a stage failed, 2 wrong call, 130 or 143 stopped."""
    options = _parser().parse_args(arguments)
    console = Console(highlight=False, soft_wrap=True)
    # A stop from outside unwinds like Ctrl-C, so that stages and server are ended and not orphaned.
    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is not signal.SIG_IGN:  # nohup asked to go on
            signal.signal(number, _exit)
    try:
        options.run(options, console)
    except (PipelineError, FoveaError) as error:
        console.print(f"error: {error}", style="red", markup=False)
        return 1
    except KeyboardInterrupt:
        console.print("interrupted; finished stages keep their results")
        return 130
    return 0


def _exit(number: int, _frame: FrameType | None) -> None:
    sys.exit(128 + number)


def _parser() -> argparse.ArgumentParser:
    formatter = argparse.ArgumentDefaultsHelpFormatter
    parser = argparse.ArgumentParser(prog="python -m pipelines", formatter_class=formatter)
    commands = parser.add_subparsers(required=True, metavar="demo|infer|report")
    demo = commands.add_parser("demo", help="the whole way on this machine", formatter_class=formatter)
    demo.add_argument("--data", type=Path, help="a CHASE_DB1 or DRIVE folder; without it a synthetic set is drawn")
    demo.add_argument("--build", type=Path, default=Path("build"), help="where everything is written")
    demo.add_argument("--trainer", default="demo", help="one of training/conf/trainer")
    demo.add_argument("--subjects", type=int, default=12, help="people in the synthetic set")
    demo.set_defaults(run=_demo)
    served = commands.add_parser("infer", help="held-out pictures through a server", formatter_class=formatter)
    served.add_argument("--url", required=True, help="HOST:PORT of the server's gRPC")
    served.add_argument("--model", type=Path, default=Path("build/training/vessels"), help="a model folder")
    served.add_argument("--out", type=Path, default=Path("build/report"), help="where overlays and figures go")
    served.set_defaults(run=_infer)
    report = commands.add_parser("report", help="the page about what was run", formatter_class=formatter)
    report.add_argument("--build", type=Path, default=Path("build"))
    report.set_defaults(run=_report)
    return parser


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
