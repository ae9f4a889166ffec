"""The command `fovea`: segment or classify files, ask whether a server is ready, list its models.

Exit status: 0 done; 1 something failed, or not ready; 2 the command line cannot be followed; 130 interrupted.
"""

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TextIO

from fovea_client.address import parse_address
from fovea_client.client import Client
from fovea_client.deadline import positive_s
from fovea_client.errors import FoveaError, OutputError
from fovea_client.output import Outputs, plan_outputs

_FAILED = 1
_USAGE = 2
_INTERRUPTED = 130


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command with `argv`, by default the process's own arguments; returns the exit status."""
    arguments = _parser().parse_args(argv)
    try:
        return int(arguments.command(arguments))
    except OutputError as error:
        _say(f"fovea: {error}", sys.stderr)
        return _USAGE
    except FoveaError as error:
        _say(f"fovea: {error}", sys.stderr)
        return _FAILED
    except KeyboardInterrupt:
        _say("fovea: interrupted", sys.stderr)
        return _INTERRUPTED
    except BrokenPipeError:
        # The reader went away (`fovea models | head -1`); Python would complain again when it flushes at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return _FAILED


def _segment(arguments: argparse.Namespace) -> int:
    plans = plan_outputs(arguments.images, arguments.out)
    with Client(arguments.url, timeout_s=arguments.timeout_s) as client:
        # A wrong task or address is one sentence here, not one for every image.
        client.classes(arguments.task)
        done = [_segment_one(client, plan, arguments.task, f"[{i}/{len(plans)}]") for i, plan in enumerate(plans, 1)]
    return _status(done)


def _segment_one(client: Client, plan: Outputs, task: str, progress: str) -> bool:
    try:
        segmentation = client.segment(plan.image, task=task)
        plan.write(segmentation)
    except FoveaError as error:
        _say(f"{progress} {plan.image} failed: {error}", sys.stderr)
        return False
    height_px, width_px = segmentation.mask.shape
    size = f"{width_px}x{height_px} px"
    _say(f"{progress} {plan.image}: {size} in {segmentation.elapsed_ms:.1f} ms -> {plan.mask}, {plan.probability.name}")
    return True


def _classify(arguments: argparse.Namespace) -> int:
    images = arguments.images
    with Client(arguments.url, timeout_s=arguments.timeout_s) as client:
        client.classes(arguments.task)
        done = [_classify_one(client, path, arguments.task, f"[{i}/{len(images)}]") for i, path in enumerate(images, 1)]
    return _status(done)


def _classify_one(client: Client, image: Path, task: str, progress: str) -> bool:
    try:
        found = client.classify(image, task=task)
    except FoveaError as error:
        _say(f"{progress} {image} failed: {error}", sys.stderr)
        return False
    probabilities = ", ".join(f"{name} {value:.3f}" for name, value in found.probability.items())
    _say(f"{progress} {image}: {found.label} ({probabilities}) in {found.elapsed_ms:.1f} ms")
    return True


def _status(done: Sequence[bool]) -> int:
    if all(done):
        return 0
    _say(f"fovea: {done.count(False)} of {len(done)} images failed", sys.stderr)
    return _FAILED


def _ready(arguments: argparse.Namespace) -> int:
    with Client(arguments.url, timeout_s=arguments.timeout_s) as client:
        ready = client.ready()
    _say(f"{arguments.url} is {'ready' if ready else 'not ready'}")
    return 0 if ready else _FAILED


def _models(arguments: argparse.Namespace) -> int:
    with Client(arguments.url, timeout_s=arguments.timeout_s) as client:
        models = client.models()
    width = max((len(model.name) for model in models), default=0)
    for model in models:
        _say(f"{model.name:{width}}  {model.version or '-'}  {model.state or 'UNLOADED'}  {model.reason}".rstrip())
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="fovea", description="Ask a Fovea endpoint about images.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    segment = commands.add_parser("segment", help="write the masks of image files")
    segment.add_argument(
        "--out", required=True, type=Path, metavar="DIR", help="where the PNG files go; made if absent"
    )
    segment.set_defaults(command=_segment)
    classify = commands.add_parser("classify", help="print the class of image files and its probability")
    classify.set_defaults(command=_classify)
    for command, task in ((segment, "vessels"), (classify, "eye_disease")):
        command.add_argument("images", nargs="+", type=Path, metavar="IMAGE", help="JPEG, PNG, TIFF or GIF file")
        command.add_argument("--task", default=task, help="default: %(default)s")
    ready = commands.add_parser("ready", help="exit 0 if the server is ready, 1 if not")
    ready.set_defaults(command=_ready)
    models = commands.add_parser("models", help="list the server's models and their state")
    models.set_defaults(command=_models)
    for command in (segment, classify, ready, models):
        command.add_argument(
            "--url", required=True, type=_url, metavar="HOST:PORT", help="the server's gRPC port, e.g. localhost:8001"
        )
        command.add_argument(
            "--timeout-s", default=10.0, type=_seconds, metavar="S", help="seconds for one call (default: %(default)s)"
        )
    return parser


def _url(text: str) -> str:
    try:
        return parse_address(text)
    except FoveaError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def _seconds(text: str) -> float:
    try:
        return positive_s(float(text))
    except (FoveaError, ValueError) as error:
        raise argparse.ArgumentTypeError(f"{text!r} is not a positive number of seconds") from error


def _say(line: str, stream: TextIO | None = None) -> None:
    # A file name may hold bytes that are no text; printing it must not end the run.
    printable = line.encode("utf-8", "backslashreplace").decode("utf-8")
    print(printable, file=stream or sys.stdout, flush=True)
