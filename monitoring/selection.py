"""What both commands ask for: a task, a release, pictures; and how many of these are enough."""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from monitoring.errors import UsageError
from monitoring.network import Network
from tasks import TASKS, get_task

# More pictures sharpen no alarm that matters, and the kernel of the embeddings grows with their square.
MOST_IMAGES = 1000
_Item = TypeVar("_Item")


def add_selection_arguments(parser: argparse.ArgumentParser, images: str) -> None:
    """Add `--task`, `--release`, `--images` and `--most`; `images` says of which pictures."""
    parser.add_argument("--task", default="vessels", choices=tuple(TASKS), help="(default: %(default)s)")
    parser.add_argument(
        "--release",
        type=Path,
        default=Path("build/model_repository"),
        metavar="DIR",
        help="the placed release whose network is asked (default: %(default)s)",
    )
    parser.add_argument("--images", type=Path, required=True, metavar="DIR", help=images)
    parser.add_argument(
        "--most",
        type=at_least_one,
        default=MOST_IMAGES,
        metavar="N",
        help="of more pictures than that, so many are drawn at random (default: %(default)s)",
    )
    parser.add_argument("--seed", type=not_negative, default=0, help="of whatever is drawn (default: %(default)s)")


def open_network(options: argparse.Namespace) -> Network:
    """Return the network of parsed flags. Raises UsageError."""
    release: Path = options.release
    if not release.is_dir():
        raise UsageError(f"{release} is no placed release: make one with `python -m export`, or name it by --release.")
    return Network(release, get_task(options.task))


def drawn(items: Sequence[_Item], most: int, seed: int) -> list[_Item]:
    """Return all items, or so many drawn with the seed, in their order."""
    if len(items) <= most:
        return list(items)
    chosen = np.random.default_rng(seed).choice(len(items), size=most, replace=False)
    return [items[index] for index in np.sort(chosen)]


def at_least_one(text: str) -> int:
    """A whole number, 1 or over."""
    if (value := int(text)) < 1:
        raise argparse.ArgumentTypeError(f"{text} is not 1 or over")
    return value


def not_negative(text: str) -> int:
    """A whole number, 0 or over."""
    if (value := int(text)) < 0:
        raise argparse.ArgumentTypeError(f"{text} is not 0 or over")
    return value


def share(text: str) -> float:
    """A number over 0 and below 1."""
    if not 0 < (value := float(text)) < 1:
        raise argparse.ArgumentTypeError(f"{text} is not between 0 and 1")
    return value


def print_unreadable(console: Any, unreadable: Sequence[str]) -> None:
    """Say which pictures could not be read: the first few, and how many."""
    for reason in unreadable[:5]:
        console.print(f"left out: {reason}", markup=False)
    if len(unreadable) > 5:
        console.print(f"left out: {len(unreadable)} pictures in all")
