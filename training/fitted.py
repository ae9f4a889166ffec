"""Pictures as the network takes them: fitted once and kept in memory, as far as it reaches."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import overload

import numpy as np
import numpy.typing as npt
from rich.console import Console
from rich.progress import track

from tasks import Kind, TaskSpec
from tasks.errors import ImageError
from tasks.imaging import fit
from tasks.processing import NetworkInput, preprocess
from training.errors import DataError
from training.samples import Labelled, Sample

Plane = npt.NDArray[np.uint8]
# Three channels, target and weight.
_BYTES_A_PIXEL = 5


@dataclass(frozen=True)
class FittedSample:
    """A labelled picture at the network's size.

    Attributes:
        pixels: uint8 (size_px, size_px, 3), RGB.
        target: uint8 (size_px, size_px). Binary: 0–255 is the share of the pixel that is foreground. Semantic: index of
            the network's output. Classification: unused.
        weight: uint8 (size_px, size_px), 0–255; where a pixel counts.
        label: index of the network's output, of a classification.
    """

    pixels: Plane
    target: Plane
    weight: Plane
    label: int = 0


def fit_sample(sample: Sample, task: TaskSpec) -> FittedSample:
    """Fit a sample's picture and masks exactly as serving fits the picture.

    Raises:
        DataError: an unreadable file, or a mask of another size than its picture.
    """
    labelled = sample.read()
    try:
        fitted = preprocess(labelled.encoded, task)
    except ImageError as error:
        raise DataError(f"picture {sample.name} cannot be used: {error}") from error
    if task.kind is Kind.CLASSIFICATION:
        view = fitted.field_of_view * np.uint8(255)
        return FittedSample(fitted.pixels, view, view, sample.label or 0)
    mask = _fitting(labelled.mask, fitted, sample, "mask")
    weight = _weight(labelled, fitted, sample, task)
    if task.kind is Kind.BINARY_SEGMENTATION:
        return FittedSample(fitted.pixels, _shares(mask, fitted, task), weight)
    classes = fit(mask, fitted.geometry, task.size_px, nearest=True)
    if task.unlabeled:
        # Index 0 is nobody's word; the network's outputs start at class 1.
        weight = np.where(classes > 0, weight, 0).astype(np.uint8)
        classes = np.maximum(classes, 1) - np.uint8(1)
    return FittedSample(fitted.pixels, classes, weight)


def _weight(labelled: Labelled, fitted: NetworkInput, sample: Sample, task: TaskSpec) -> Plane:
    found = fitted.field_of_view * np.uint8(255)
    if labelled.field_of_view is None:
        return found
    published = _shares(_fitting(labelled.field_of_view, fitted, sample, "field of view"), fitted, task)
    # Serving answers inside the view that it finds itself: the rim between the two views must be learnt as well.
    return np.maximum(published, found)


def _shares(mask: npt.NDArray[np.generic], fitted: NetworkInput, task: TaskSpec) -> Plane:
    return fit(np.where(mask, 255, 0).astype(np.uint8), fitted.geometry, task.size_px)


def _fitting(
    mask: npt.NDArray[np.uint8] | npt.NDArray[np.bool_] | None, fitted: NetworkInput, sample: Sample, what: str
) -> npt.NDArray[np.uint8]:
    size = (fitted.geometry.height_px, fitted.geometry.width_px)
    if mask is None or mask.shape != size:
        found = "missing" if mask is None else f"{mask.shape[0]} × {mask.shape[1]}"
        raise DataError(f"the {what} of {sample.name} is {found} and its picture {size[0]} × {size[1]} pixels")
    return mask.astype(np.uint8)


class FittedPictures(Sequence[FittedSample]):
    """Fitted pictures: the first ones are kept, those beyond `memory_mb` are read and fitted whenever they are asked.

    Args:
        samples: in the order of the indices.
        task: of the samples.
        memory_mb: what the kept ones may take.
        console: for progress.

    Raises:
        DataError: as `fit_sample`; of pictures that are not kept, when they are asked.
    """

    def __init__(self, samples: Sequence[Sample], task: TaskSpec, memory_mb: int, console: Console) -> None:
        self.samples = samples
        self.task = task
        room = memory_mb * 1_000_000 // (task.size_px**2 * _BYTES_A_PIXEL)
        shown = track(samples[:room], "fitting pictures", console=console, transient=True)
        self.kept = [fit_sample(sample, task) for sample in (shown if console.is_terminal else samples[:room])]

    @overload
    def __getitem__(self, index: int) -> FittedSample: ...

    @overload
    def __getitem__(self, index: slice) -> list[FittedSample]: ...

    def __getitem__(self, index: int | slice) -> FittedSample | list[FittedSample]:
        """Return picture number `index`."""
        if isinstance(index, slice):
            return [self[number] for number in range(*index.indices(len(self)))]
        return self.kept[index] if 0 <= index < len(self.kept) else fit_sample(self.samples[index], self.task)

    def __len__(self) -> int:
        """Return how many pictures there are."""
        return len(self.samples)
