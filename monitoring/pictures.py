"""Pictures of a folder → the figures that drift is judged by, one picture in memory at a time."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np
import numpy.typing as npt
from rich.console import Console
from rich.progress import track

from monitoring.errors import NoImagesError
from monitoring.network import Answer, Network
from tasks import Kind, TaskSpec
from tasks.errors import ImageError
from tasks.processing import NetworkInput, preprocess
from tasks.statistics import INPUT_STATISTICS, input_statistics, prediction_names, prediction_statistics

SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".tif", ".tiff", ".gif"})
NO_LABEL = -1
_Item = TypeVar("_Item")
Progress = Callable[[Sequence[_Item], str], Iterable[_Item]]


@dataclass(frozen=True)
class Figures:
    """What was measured of pictures, one row each.

    Attributes:
        input: float64 (pictures, 8), `tasks.statistics.INPUT_STATISTICS`.
        prediction: float64 (pictures, names), `tasks.statistics.prediction_names` of the task.
        label: int64 (pictures,), the predicted class of a classification, else NO_LABEL.
        embedding: float32 (pictures, channels).
    """

    input: npt.NDArray[np.float64]
    prediction: npt.NDArray[np.float64]
    label: npt.NDArray[np.int64]
    embedding: npt.NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.input)

    def rows(self, chosen: npt.NDArray[np.intp]) -> "Figures":
        """Return the figures of some pictures, by number, in that order."""
        return Figures(self.input[chosen], self.prediction[chosen], self.label[chosen], self.embedding[chosen])


@dataclass(frozen=True)
class Measured:
    """Figures of the pictures that could be read, their files in the same order, and why the others could not be."""

    figures: Figures
    files: tuple[Path, ...]
    unreadable: tuple[str, ...]


def find_pictures(folder: Path) -> list[Path]:
    """Return the picture files in and below a folder, sorted. Raises NoImagesError."""
    if not folder.is_dir():
        raise NoImagesError(f"{folder} is no folder: give --images a folder of pictures.")
    found = sorted(path for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES and path.is_file())
    if not found:
        raise NoImagesError(f"{folder} holds no picture ({', '.join(sorted(SUFFIXES))}): give --images one that does.")
    return found


def measure(files: Sequence[Path], network: Network, progress: Progress[Path]) -> Measured:
    """Return the figures of the pictures. Raises NoImagesError when none can be read."""
    rows: list[Figures] = []
    read: list[Path] = []
    unreadable: list[str] = []
    for file in progress(files, f"measuring {network.task.name} pictures"):
        try:
            fitted = read_picture(file, network.task)
        except (ImageError, OSError) as error:
            unreadable.append(f"{file.name}: {error}")
            continue
        rows.append(figures_of(fitted, network.answer(fitted.pixels), network.task))
        read.append(file)
    if not rows:
        raise NoImagesError(f"none of {len(files)} pictures can be read; the first one: {unreadable[0]}")
    return Measured(stacked(rows), tuple(read), tuple(unreadable))


def read_picture(file: Path, task: TaskSpec) -> NetworkInput:
    """Return a picture as the network takes it. Raises ImageError, or OSError for a file that cannot be read.

    A file over the task's limit is read no further than the limit, which refuses it.
    """
    with file.open("rb") as opened:
        return preprocess(opened.read(task.limits.max_bytes + 1), task)


def figures_of(fitted: NetworkInput, answer: Answer, task: TaskSpec) -> Figures:
    """Return the figures of one picture, as one row."""
    size = fitted.geometry
    seen = input_statistics(fitted.pixels, fitted.field_of_view, size.width_px, size.height_px)
    said = prediction_statistics(answer.probability, answer.classes, task, fitted.field_of_view)
    label = int(answer.probability.argmax()) if task.kind is Kind.CLASSIFICATION else NO_LABEL
    return Figures(
        np.array([[seen[name] for name in INPUT_STATISTICS]]),
        np.array([[said[name] for name in prediction_names(task)]]),
        np.array([label], np.int64),
        answer.embedding[None].astype(np.float32),
    )


def stacked(rows: Sequence[Figures]) -> Figures:
    """Return several figures as one, one after the other."""
    columns = ((row.input, row.prediction, row.label, row.embedding) for row in rows)
    inputs, predictions, labels, embeddings = (np.concatenate(column) for column in zip(*columns, strict=True))
    return Figures(inputs, predictions, labels, embeddings)


def shown(console: Console) -> Progress[_Item]:
    """Return a progress bar over items, where there is a terminal; elsewhere a line at the start."""

    def over(items: Sequence[_Item], what: str) -> Iterator[_Item]:
        if not console.is_terminal:
            console.print(f"{what}: {len(items)}")
        yield from track(items, what, console=console, transient=True, disable=not console.is_terminal)

    return over
