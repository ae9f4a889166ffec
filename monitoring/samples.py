"""The pictures that an endpoint kept for labelling: allow it, look, delete one by name, remove the old."""

import argparse
import sys
from pathlib import Path

from monitoring.errors import UsageError
from tasks.samples import Policy, Samples, SamplesError, enable

HELP = "allow an endpoint to keep uncertain pictures for labelling, and list, delete or expire them"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what `run` reads."""
    usual = Policy()
    parser.add_argument("action", choices=("enable", "list", "delete", "expire"))
    parser.add_argument("folder", type=Path, help="what the server's --samples or FOVEA_SAMPLES names")
    parser.add_argument("ids", nargs="*", metavar="ID", help="of the samples to delete")
    parser.add_argument("--candidates-per-hour", type=_positive, default=usual.candidates_per_hour)
    parser.add_argument("--max-images", type=int, default=usual.max_images)
    parser.add_argument("--max-mb", type=_positive, default=usual.max_mb)
    parser.add_argument("--days", type=_positive, default=usual.days, help="after which a picture goes")


def run(options: argparse.Namespace) -> int:
    """Do it and return 0.

    Raises:
        UsageError: the folder keeps no samples, or has none of that name.
    """
    if (options.action == "delete") != bool(options.ids):
        raise UsageError("`delete` takes the ids of the samples to delete, and the others take none.")
    try:
        _ACTIONS[options.action](options)
    except SamplesError as error:
        raise UsageError(str(error)) from error
    return 0


def _enable(options: argparse.Namespace) -> None:
    policy = Policy(options.candidates_per_hour, options.max_images, options.max_mb, options.days)
    enable(options.folder, policy)
    sys.stdout.write(f"{options.folder} may keep pictures; start the server with --samples {options.folder}\n")


def _list(options: argparse.Namespace) -> None:
    for each in Samples(options.folder).all():
        what = f"{each.id}  {each.kept}  {each.task}"
        sys.stdout.write(f"{what}  uncertainty {each.uncertainty:.3f}  {each.bytes:,} bytes\n")


def _delete(options: argparse.Namespace) -> None:
    samples = Samples(options.folder)
    for name in options.ids:
        samples.delete(name)
        sys.stdout.write(f"{name} deleted\n")


def _expire(options: argparse.Namespace) -> None:
    sys.stdout.write(f"{len(Samples(options.folder).prune())} samples removed\n")


_ACTIONS = {"enable": _enable, "list": _list, "delete": _delete, "expire": _expire}


def _positive(text: str) -> float:
    if not (value := float(text)) > 0:
        raise argparse.ArgumentTypeError(f"{text} is not above 0")
    return value
