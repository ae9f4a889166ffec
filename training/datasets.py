"""Pictures as the network takes them: fitted once, kept in memory, cropped anew for every step."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch.utils.data import Dataset, Sampler

from tasks import Kind, TaskSpec
from tasks.errors import ImageError
from tasks.imaging import fit
from tasks.processing import NetworkInput, preprocess
from training.augmentation import build_augmentation
from training.config import TrainingConfig
from training.errors import DataError
from training.samples import Labelled, Sample

Plane = npt.NDArray[np.uint8]
Batch = tuple[torch.Tensor, torch.Tensor, torch.Tensor]


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


class CropDataset(Dataset[Batch]):
    """Random augmented crops. The crop is a function of seed and index alone, whatever the number of workers.

    An index counts on from epoch to epoch (see `EpochSampler`). Items are as `to_tensors` gives them.
    """

    def __init__(self, samples: Sequence[FittedSample], task: TaskSpec, config: TrainingConfig) -> None:
        self.samples = samples
        self.kind = task.kind
        self.seed = config.seed
        self.draws = _draws(samples, config.data.sampler)
        sides = [*config.trainer.early_px, config.trainer.crop_px]
        self.transforms = [build_augmentation(config.augmentation, side, self.seed, task.kind) for side in sides]
        # What the processes cannot share evenly is left out, see `EpochSampler`.
        devices = config.trainer.devices
        self.crops_per_epoch = max(config.trainer.crops_per_epoch // devices, 1) * devices
        self.crops = config.trainer.epochs * self.crops_per_epoch

    def __getitem__(self, index: int) -> Batch:
        """Return crop number `index`."""
        # Each lap over the pictures has an order of its own.
        lap, position = divmod(index, sum(count for _, count in self.draws))
        sample = self.samples[self._order(lap)[position]]
        transform = self._transform(index)
        transform.set_random_seed(int(np.random.default_rng((self.seed, 1, index)).integers(2**31)))
        crop = transform(image=sample.pixels, masks=[sample.target, sample.weight])
        target, weight = crop["masks"]
        return to_tensors(FittedSample(crop["image"], target, weight, sample.label), self.kind)

    def _order(self, lap: int) -> npt.NDArray[np.int64]:
        rng = np.random.default_rng((self.seed, lap))
        return rng.permutation(
            np.concatenate([np.resize(rng.permutation(group), count) for group, count in self.draws])
        )

    def _transform(self, index: int) -> Any:
        """Return the transform of the part of the training that the crop's epoch lies in."""
        first_of_epoch = index - index % self.crops_per_epoch
        return self.transforms[min(first_of_epoch * len(self.transforms) // self.crops, len(self.transforms) - 1)]


class EpochSampler(Sampler[int]):
    """Indices that count on from epoch to epoch; Lightning calls `set_epoch`, also after a resume.

    Args:
        length: indices of an epoch, over all processes.
        rank, world_size: this process takes every `world_size`-th index from `rank` on.
    """

    def __init__(self, length: int, rank: int = 0, world_size: int = 1) -> None:
        self.length = length // world_size
        self.rank = rank
        self.world_size = world_size
        self.epoch = 0
        self.skip = 0

    def set_epoch(self, epoch: int) -> None:
        """Name the epoch that starts next."""
        self.epoch = epoch

    def __iter__(self) -> Iterator[int]:
        """Yield this epoch's indices in order, without the first `skip`; the dataset itself shuffles."""
        start = self.epoch * self.length + self.skip
        self.skip = 0
        return iter(
            range(
                start * self.world_size + self.rank, (self.epoch + 1) * self.length * self.world_size, self.world_size
            )
        )

    def __len__(self) -> int:
        """Return how many indices an epoch has for this process."""
        return self.length


class WholeDataset(Dataset[Batch]):
    """Whole fitted pictures, unchanged: for validation. Items are as `to_tensors` gives them."""

    def __init__(self, samples: Sequence[FittedSample], task: TaskSpec) -> None:
        self.samples = samples
        self.kind = task.kind

    def __getitem__(self, index: int) -> Batch:
        """Return picture number `index`."""
        return to_tensors(self.samples[index], self.kind)

    def __len__(self) -> int:
        """Return how many pictures there are."""
        return len(self.samples)


def to_tensors(sample: FittedSample, kind: Kind) -> Batch:
    """Return pixels, target and weight.

    Pixels are float32 (3, height, width), 0–255. Target and weight: binary float32 (1, height, width), 0–1; semantic
    long and float32 (height, width); classification long and float32 scalars.
    """
    pixels = torch.from_numpy(np.ascontiguousarray(sample.pixels)).permute(2, 0, 1).float()
    if kind is Kind.CLASSIFICATION:
        return pixels, torch.tensor(sample.label), torch.tensor(1.0)
    target = torch.from_numpy(np.ascontiguousarray(sample.target))
    weight = torch.from_numpy(np.ascontiguousarray(sample.weight >= 128)).float()
    if kind is Kind.BINARY_SEGMENTATION:
        return pixels, target[None].float() / 255, weight[None]
    return pixels, target.long(), weight


def class_frequencies(samples: Sequence[FittedSample], task: TaskSpec) -> npt.NDArray[np.float64]:
    """Return the share of each of the network's outputs among what counts, float64 (outputs,), sums to 1."""
    if task.kind is Kind.CLASSIFICATION:
        counts = np.bincount([sample.label for sample in samples], minlength=task.outputs)
    else:
        counts = sum(
            (np.bincount(sample.target[sample.weight >= 128], minlength=task.outputs) for sample in samples),
            start=np.zeros(task.outputs, int),
        )
    return counts / max(int(counts.sum()), 1)


def _draws(samples: Sequence[FittedSample], sampler: str) -> list[tuple[npt.NDArray[np.int64], int]]:
    """Return the positions of every class and how many of them a lap shows; a lap is as long as the set."""
    labels = np.array([sample.label for sample in samples])
    groups = [np.flatnonzero(labels == label) for label in np.unique(labels)]
    power = {"shuffle": 1.0, "sqrt": 0.5, "balanced": 0.0}[sampler]
    shares = np.array([len(group) ** power for group in groups])
    counts = np.maximum(np.rint(shares / shares.sum() * len(samples)), 1).astype(int)
    return [(group, int(count)) for group, count in zip(groups, counts, strict=True)]
