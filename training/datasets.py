"""Pictures as the network takes them: fitted once, kept in memory, cropped anew for every step."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch.utils.data import Dataset, Sampler

from tasks import TaskSpec
from tasks.errors import ImageError
from tasks.held_out import read_mask
from tasks.imaging import fit
from tasks.processing import preprocess
from training.augmentation import build_augmentation
from training.config import AugmentationConfig
from training.errors import DataError
from training.sources import Sample

Plane = npt.NDArray[np.uint8]
Batch = tuple[torch.Tensor, torch.Tensor, torch.Tensor]


@dataclass(frozen=True)
class FittedSample:
    """A labelled picture at the network's size.

    Attributes:
        pixels: uint8 (size_px, size_px, 3), RGB.
        vessels: uint8 (size_px, size_px); 0–255 is the share of the pixel that the expert marked.
        field_of_view: uint8 (size_px, size_px), 0–255; where the published view or the found one is.
    """

    pixels: Plane
    vessels: Plane
    field_of_view: Plane


def fit_sample(sample: Sample, task: TaskSpec) -> FittedSample:
    """Fit a sample's picture and masks exactly as serving fits the picture.

    Raises:
        DataError: an unreadable file, or a mask of another size than its picture.
    """
    try:
        network_input = preprocess(sample.image.read_bytes(), task)
        masks = {path: read_mask(path) for path in (sample.vessels, sample.field_of_view)}
    except (ImageError, OSError) as error:
        raise DataError(f"picture {sample.image} cannot be used: {error}") from error
    geometry = network_input.geometry
    planes = []
    for path, mask in masks.items():
        if mask.shape != (geometry.height_px, geometry.width_px):
            raise DataError(f"mask {path} has {mask.shape} rows and columns and its picture another size")
        planes.append(fit(np.where(mask, 255, 0).astype(np.uint8), geometry, task.size_px))
    vessels, published = planes
    # Serving answers inside the view that it finds itself: the rim between the two views must be learnt as well.
    view = np.maximum(published, network_input.field_of_view * np.uint8(255))
    return FittedSample(network_input.pixels, vessels, view)


class CropDataset(Dataset[Batch]):
    """Random augmented crops. The crop is a function of seed and index alone, whatever the number of workers.

    An index counts on from epoch to epoch (see `EpochSampler`). Items: float32 (3, crop, crop) pixels 0–255, float32
    (1, crop, crop) vessel share 0–1 and float32 (1, crop, crop) weight, 1 inside the field of view.
    """

    def __init__(
        self, samples: Sequence[FittedSample], augmentation: AugmentationConfig, crop_px: int, seed: int
    ) -> None:
        self.samples = samples
        self.seed = seed
        self.transform = build_augmentation(augmentation, crop_px, seed)

    def __getitem__(self, index: int) -> Batch:
        """Return crop number `index`."""
        # Each pass over the pictures shows every one once, in an order of its own.
        lap, position = divmod(index, len(self.samples))
        order = np.random.default_rng((self.seed, lap)).permutation(len(self.samples))
        sample = self.samples[order[position]]
        self.transform.set_random_seed(int(np.random.default_rng((self.seed, 1, index)).integers(2**31)))
        crop = self.transform(image=sample.pixels, masks=[sample.vessels, sample.field_of_view])
        vessels, view = crop["masks"]
        return _to_tensors(FittedSample(crop["image"], vessels, view))


class EpochSampler(Sampler[int]):
    """Indices that count on from epoch to epoch; Lightning calls `set_epoch`, also after a resume."""

    def __init__(self, length: int) -> None:
        self.length = length
        self.epoch = 0

    def set_epoch(self, epoch: int) -> None:
        """Name the epoch that starts next."""
        self.epoch = epoch

    def __iter__(self) -> Iterator[int]:
        """Yield this epoch's indices in order: the dataset itself shuffles."""
        return iter(range(self.epoch * self.length, (self.epoch + 1) * self.length))

    def __len__(self) -> int:
        """Return how many crops an epoch has."""
        return self.length


class WholeDataset(Dataset[Batch]):
    """Whole fitted pictures, unchanged: for validation. Items are as `CropDataset`'s."""

    def __init__(self, samples: Sequence[FittedSample]) -> None:
        self.samples = samples

    def __getitem__(self, index: int) -> Batch:
        """Return picture number `index`."""
        return _to_tensors(self.samples[index])

    def __len__(self) -> int:
        """Return how many pictures there are."""
        return len(self.samples)


def _to_tensors(sample: FittedSample) -> Batch:
    pixels = torch.from_numpy(np.ascontiguousarray(sample.pixels)).permute(2, 0, 1).float()
    vessels = torch.from_numpy(np.ascontiguousarray(sample.vessels))[None].float() / 255
    view = torch.from_numpy(np.ascontiguousarray(sample.field_of_view >= 128))[None].float()
    return pixels, vessels, view
