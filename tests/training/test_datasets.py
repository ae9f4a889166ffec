"""Crops depend on seed and index alone; masks stay aligned with their picture."""

from pathlib import Path

import numpy as np
import pytest
import torch

from tasks import get_task
from training.config import AugmentationConfig
from training.datasets import CropDataset, EpochSampler, FittedSample, WholeDataset, fit_sample
from training.sources import read_samples


@pytest.fixture(scope="module")
def fitted(synthetic: Path) -> list[FittedSample]:
    return [fit_sample(sample, get_task("vessels")) for sample in read_samples(synthetic)[:3]]


def crops(fitted: list[FittedSample], seed: int) -> CropDataset:
    return CropDataset(fitted, AugmentationConfig(), 128, seed)


def test_same_index_gives_the_same_crop_in_any_order(fitted: list[FittedSample]) -> None:
    first, second = crops(fitted, 0), crops(fitted, 0)
    forward = [first[index] for index in range(5)]
    for index in (4, 1, 3):
        assert all(torch.equal(left, right) for left, right in zip(forward[index], second[index], strict=True))
    assert not torch.equal(crops(fitted, 1)[0][0], forward[0][0])


def test_crops_have_their_types_and_ranges(fitted: list[FittedSample]) -> None:
    pixels, vessels, view = crops(fitted, 0)[0]
    assert (pixels.shape, vessels.shape, view.shape) == ((3, 128, 128), (1, 128, 128), (1, 128, 128))
    assert pixels.max() > 1
    assert pixels.max() <= 255
    assert 0 <= vessels.min() <= vessels.max() <= 1
    assert set(view.unique().tolist()) <= {0.0, 1.0}


def test_every_picture_is_seen_once_a_lap(fitted: list[FittedSample]) -> None:
    plain = AugmentationConfig(scale=0, rotate_deg=0, colour=0, hue=0, gamma_percent=0, blur_sigma_px=0.11, noise_std=0)
    marked = [
        FittedSample(np.full_like(item.pixels, 10 + 50 * n), item.vessels, item.field_of_view)
        for n, item in enumerate(fitted)
    ]
    dataset = CropDataset(marked, plain, 512, 0)
    for lap in range(3):
        levels = {round(float(dataset[lap * 3 + position][0].median()) / 50) for position in range(3)}
        assert len(levels) == 3


def test_masks_move_with_their_picture(fitted: list[FittedSample]) -> None:
    """Where the picture was painted white along the vessels, augmented crops are bright exactly on the mask."""
    painted = []
    for item in fitted:
        pixels = np.where(item.vessels[:, :, None] >= 128, 255, 0).repeat(3, axis=2).astype(np.uint8)
        painted.append(FittedSample(pixels, item.vessels, item.field_of_view))
    dataset = CropDataset(painted, AugmentationConfig(colour=0, hue=0, gamma_percent=0, noise_std=0), 256, 0)
    for index in range(6):
        pixels, vessels, _ = dataset[index]
        bright, marked = pixels[0] > 128, vessels[0] > 0.5
        assert (bright & marked).sum() / (bright | marked).sum() > 0.8


def test_sampler_counts_on_from_epoch_to_epoch() -> None:
    sampler = EpochSampler(4)
    assert list(sampler) == [0, 1, 2, 3]
    sampler.set_epoch(2)
    assert list(sampler) == [8, 9, 10, 11]
    assert len(sampler) == 4


def test_whole_pictures_are_unchanged(fitted: list[FittedSample]) -> None:
    dataset = WholeDataset(fitted)
    assert len(dataset) == 3
    assert np.array_equal(dataset[1][0].permute(1, 2, 0).numpy(), fitted[1].pixels.astype(np.float32))
