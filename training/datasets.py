"""What training steps see: random augmented crops of the fitted pictures, in an order that a resumed run repeats."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch.utils.data import Dataset, Sampler

from tasks import Kind, TaskSpec
from training.augmentation import build_augmentation
from training.config import TrainingConfig
from training.fitted import FittedSample

# Of 0–255; a pixel that counts less than half does not count.
LOWEST_WEIGHT = 128
Batch = tuple[torch.Tensor, torch.Tensor, torch.Tensor]


class CropDataset(Dataset[Batch]):
    """Random augmented crops. The crop is a function of seed and index alone, whatever the number of workers.

    An index counts on from epoch to epoch (see `EpochSampler`). Items are as `to_tensors` gives them.
    """

    def __init__(self, samples: Sequence[FittedSample], task: TaskSpec, config: TrainingConfig) -> None:
        self.samples = samples
        self.kind = task.kind
        self.seed = config.seed
        self.draws = _draws(_labels(samples, task), config.data.sampler)
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
    weight = torch.from_numpy(np.ascontiguousarray(sample.weight >= LOWEST_WEIGHT)).float()
    if kind is Kind.BINARY_SEGMENTATION:
        return pixels, target[None].float() / 255, weight[None]
    return pixels, target.long(), weight


def class_frequencies(samples: Sequence[FittedSample], task: TaskSpec) -> npt.NDArray[np.float64]:
    """Return the share of each of the network's outputs among what counts, float64 (outputs,), sums to 1."""
    if task.kind is Kind.CLASSIFICATION:
        counts = np.bincount([sample.label for sample in samples], minlength=task.outputs)
    else:
        counts = sum(
            (np.bincount(sample.target[sample.weight >= LOWEST_WEIGHT], minlength=task.outputs) for sample in samples),
            start=np.zeros(task.outputs, int),
        )
    return counts / max(int(counts.sum()), 1)


def _labels(samples: Sequence[FittedSample], task: TaskSpec) -> npt.NDArray[np.int64]:
    # Only a classification has them, and going through all pictures of a large set would fit each of them.
    if task.kind is not Kind.CLASSIFICATION:
        return np.zeros(len(samples), np.int64)
    return np.array([sample.label for sample in samples])


def _draws(labels: npt.NDArray[np.int64], sampler: str) -> list[tuple[npt.NDArray[np.int64], int]]:
    """Return the positions of every class and how many of them a lap shows; a lap is as long as the set."""
    groups = [np.flatnonzero(labels == label) for label in np.unique(labels)]
    power = {"shuffle": 1.0, "sqrt": 0.5, "balanced": 0.0}[sampler]
    shares = np.array([len(group) ** power for group in groups])
    counts = np.maximum(np.rint(shares / shares.sum() * len(labels)), 1).astype(int)
    return [(group, int(count)) for group, count in zip(groups, counts, strict=True)]
