"""What a source is: a published layout that is recognised, and how its pictures become samples."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from tasks import Kind, TaskSpec
from training.samples import Sample

OnProgress = Callable[[int, int], None]
"""Told `(done, total)` after each picture."""

Item = TypeVar("Item")


@dataclass(frozen=True)
class Reading:
    """The samples of a folder, and one sentence for everything in it that was left out."""

    samples: list[Sample]
    remarks: tuple[str, ...] = ()


@dataclass(frozen=True)
class Source:
    """A published layout.

    Attributes:
        kind: of the tasks whose pictures it holds.
        expects: the folders and files it consists of, for error messages.
        recognises: whether a folder has this layout; never true for a source that has to be asked for by name.
        read: the samples of such a folder. Raises DataError if it is incomplete or damaged.
        licence: under which the publisher gives it, as far as it is known.
    """

    kind: Kind
    expects: str
    recognises: Callable[[Path], bool]
    read: Callable[[Path, TaskSpec, OnProgress | None], Reading]
    licence: str


def counted(items: Sequence[Item], on_progress: OnProgress | None) -> Iterator[Item]:
    """Yield the items and report after each that it is done."""
    for done, item in enumerate(items, 1):
        yield item
        if on_progress:
            on_progress(done, len(items))
