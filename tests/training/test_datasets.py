"""Crops depend on seed and index alone; masks stay aligned with their picture; classes are drawn as asked."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from rich.console import Console

from tasks import TASKS, Kind, get_task
from tasks.imaging import decode, fit
from tasks.processing import preprocess
from training.command import load_config
from training.config import AugmentationConfig, DataConfig, TrainerConfig, TrainingConfig
from training.datasets import (
    CropDataset,
    EpochSampler,
    WholeDataset,
    class_frequencies,
    to_tensors,
)
from training.fitted import FittedPictures, FittedSample, fit_sample
from training.sources import read_samples

VESSELS = get_task("vessels")
PLAIN = AugmentationConfig(
    scale=0, rotate_deg=0, flip=False, brightness=0, colour=0, hue=0, gamma_percent=0, blur_sigma_px=0, noise_std=0
)


@pytest.fixture(scope="module")
def fitted(synthetic: Path) -> list[FittedSample]:
    return [fit_sample(sample, VESSELS) for sample in read_samples(synthetic, VESSELS)[:3]]


def config(seed: int = 0, augmentation: AugmentationConfig | None = None, **trainer: object) -> TrainingConfig:
    options = {"crop_px": 128, "epochs": 4, "crops_per_epoch": 16} | trainer
    return TrainingConfig(
        seed=seed,
        augmentation=augmentation or AugmentationConfig(),
        trainer=TrainerConfig(**options),  # type: ignore[arg-type]
    )


def crops(fitted: list[FittedSample], seed: int = 0) -> CropDataset:
    return CropDataset(fitted, VESSELS, config(seed))


def test_same_index_gives_the_same_crop_in_any_order(fitted: list[FittedSample]) -> None:
    first, second = crops(fitted), crops(fitted)
    forward = [first[index] for index in range(5)]
    for index in (4, 1, 3):
        assert all(torch.equal(left, right) for left, right in zip(forward[index], second[index], strict=True))
    assert not torch.equal(crops(fitted, 1)[0][0], forward[0][0])


def test_crops_have_their_types_and_ranges(fitted: list[FittedSample]) -> None:
    pixels, vessels, view = crops(fitted)[0]
    assert (pixels.shape, vessels.shape, view.shape) == ((3, 128, 128), (1, 128, 128), (1, 128, 128))
    assert pixels.max() > 1
    assert pixels.max() <= 255
    assert 0 <= vessels.min() <= vessels.max() <= 1
    assert set(view.unique().tolist()) <= {0.0, 1.0}


def test_every_picture_is_seen_once_a_lap(fitted: list[FittedSample]) -> None:
    marked = [
        FittedSample(np.full_like(item.pixels, 10 + 50 * n), item.target, item.weight) for n, item in enumerate(fitted)
    ]
    dataset = CropDataset(marked, VESSELS, config(augmentation=PLAIN, crop_px=512))
    for lap in range(3):
        levels = {round(float(dataset[lap * 3 + position][0].median()) / 50) for position in range(3)}
        assert len(levels) == 3


def test_masks_move_with_their_picture(fitted: list[FittedSample]) -> None:
    """Where the picture was painted white along the vessels, augmented crops are bright exactly on the mask."""
    painted = []
    for item in fitted:
        pixels = np.where(item.target[:, :, None] >= 128, 255, 0).repeat(3, axis=2).astype(np.uint8)
        painted.append(FittedSample(pixels, item.target, item.weight))
    moved = AugmentationConfig(warp=0.3, brightness=0, colour=0, hue=0, gamma_percent=0, noise_std=0)
    dataset = CropDataset(painted, VESSELS, config(augmentation=moved, crop_px=256))
    for index in range(6):
        pixels, vessels, _ = dataset[index]
        bright, marked = pixels[0] > 128, vessels[0] > 0.5
        assert (bright & marked).sum() / (bright | marked).sum() > 0.8


def test_class_indices_are_never_averaged() -> None:
    """Rotated and scaled, a mask of classes 0 and 4 has no class between them."""
    task = get_task("dubai_aerial")
    target = np.zeros((512, 512), np.uint8)
    target[::8, :] = 4
    sample = FittedSample(np.zeros((512, 512, 3), np.uint8), target, np.full((512, 512), 255, np.uint8))
    dataset = CropDataset([sample], task, config(augmentation=AugmentationConfig(warp=0.3)))
    for index in range(6):
        _, classes, _ = dataset[index]
        assert set(classes.unique().tolist()) <= {0, 4}
        assert classes.dtype == torch.long


@pytest.mark.parametrize(("sampler", "share"), [("shuffle", 0.1), ("sqrt", 0.25), ("balanced", 0.5)])
def test_sampler_draws_the_rare_class_as_asked(sampler: str, share: float) -> None:
    """One picture in ten is of class 1; a lap is as long as the set, and every picture of it comes up in time."""
    task = get_task("eye_disease")
    plane = np.zeros((224, 224), np.uint8)
    samples = [
        FittedSample(np.full((224, 224, 3), index, np.uint8), plane, plane, int(index >= 90)) for index in range(100)
    ]
    settings = config(augmentation=PLAIN, crop_px=32, epochs=1000)
    settings.data = DataConfig(sampler=sampler)
    dataset = CropDataset(samples, task, settings)
    labels = [int(dataset[index][1]) for index in range(200)]
    assert abs(np.mean(labels) - share) < 0.02
    assert len({float(dataset[index][0].mean()) for index in range(1200)}) == 100


def test_classified_pictures_are_scaled_and_grow_from_part_to_part() -> None:
    task = get_task("eye_disease")
    rows = np.repeat(np.arange(224, dtype=np.uint8)[:, None, None], 224, axis=1).repeat(3, axis=2)
    sample = FittedSample(rows, rows[:, :, 0], rows[:, :, 0], 2)
    dataset = CropDataset([sample], task, config(augmentation=PLAIN, crop_px=224, early_px=[64, 128], epochs=6))
    sides = [dataset[16 * epoch + 15][0].shape[-1] for epoch in range(6)]
    assert sides == [64, 64, 128, 128, 224, 224]
    pixels, label, weight = dataset[0]
    assert (int(label), float(weight)) == (2, 1.0)
    assert float(pixels.max() - pixels.min()) > 200, "the whole picture is seen, not a part of it"


def test_sampler_counts_on_from_epoch_to_epoch() -> None:
    sampler = EpochSampler(4)
    assert list(sampler) == [0, 1, 2, 3]
    sampler.set_epoch(2)
    assert list(sampler) == [8, 9, 10, 11]
    assert len(sampler) == 4


def test_processes_share_an_epoch_without_overlap() -> None:
    samplers = [EpochSampler(12, rank, 3) for rank in range(3)]
    for sampler in samplers:
        sampler.set_epoch(1)
    seen = [list(sampler) for sampler in samplers]
    assert sorted(index for part in seen for index in part) == list(range(12, 24))
    assert all(len(part) == len(samplers[0]) for part in seen)


def test_resumed_epoch_leaves_out_what_was_seen_once() -> None:
    sampler = EpochSampler(8)
    sampler.skip = 5
    assert list(sampler) == [5, 6, 7]
    assert list(sampler) == list(range(8))


def test_whole_pictures_are_unchanged(fitted: list[FittedSample]) -> None:
    dataset = WholeDataset(fitted, VESSELS)
    assert len(dataset) == 3
    assert np.array_equal(dataset[1][0].permute(1, 2, 0).numpy(), fitted[1].pixels.astype(np.float32))


@pytest.mark.parametrize("task", TASKS.values(), ids=TASKS)
def test_tensors_have_the_form_of_their_kind(task: object) -> None:
    kind = task.kind  # type: ignore[attr-defined]
    plane = np.full((32, 32), 255 if kind is Kind.BINARY_SEGMENTATION else 1, np.uint8)
    sample = FittedSample(np.zeros((32, 32, 3), np.uint8), plane, np.full((32, 32), 255, np.uint8), 1)
    pixels, target, weight = to_tensors(sample, kind)
    shape = {Kind.BINARY_SEGMENTATION: (1, 32, 32), Kind.SEMANTIC_SEGMENTATION: (32, 32), Kind.CLASSIFICATION: ()}[kind]
    assert pixels.shape == (3, 32, 32)
    assert target.shape == weight.shape == shape
    assert target.flatten()[0] == 1
    assert target.is_floating_point() == (kind is Kind.BINARY_SEGMENTATION)


def test_class_frequencies_count_only_what_counts() -> None:
    task = get_task("dubai_aerial")
    target = np.zeros((4, 4), np.uint8)
    target[0] = 3
    weight = np.full((4, 4), 255, np.uint8)
    weight[2:] = 0
    frequencies = class_frequencies([FittedSample(np.zeros((4, 4, 3), np.uint8), target, weight)], task)
    assert frequencies.tolist() == [0.5, 0, 0, 0.5, 0]


def test_unlabeled_pixels_do_not_count_and_outputs_begin_at_the_first_class(dubai_folder: Path) -> None:
    task = get_task("dubai_aerial")
    sample = read_samples(dubai_folder, task)[0]
    fitted = fit_sample(sample, task)
    assert int(fitted.target.max()) < task.outputs
    mask = sample.read().mask
    assert mask is not None
    pixels = decode(sample.read().encoded, task.limits)
    geometry = preprocess(sample.read().encoded, task).geometry
    classes = fit(mask, geometry, task.size_px, nearest=True)
    inside = fit(np.ones(pixels.shape[:2], np.uint8), geometry, task.size_px, nearest=True) > 0
    assert (classes == 0).any()
    assert np.array_equal((fitted.weight >= 128)[inside], (classes > 0)[inside])
    assert np.array_equal(fitted.target[classes > 0], classes[classes > 0] - 1)


@pytest.mark.parametrize("memory_mb", [0, 2, 100])
def test_pictures_that_do_not_fit_into_memory_are_fitted_anew(synthetic: Path, memory_mb: int) -> None:
    samples = read_samples(synthetic, VESSELS)[:3]
    pictures = FittedPictures(samples, VESSELS, memory_mb, Console(quiet=True))
    assert len(pictures.kept) == min(memory_mb * 10**6 // (512 * 512 * 5), 3)
    for index, sample in enumerate(samples):
        expected = fit_sample(sample, VESSELS)
        for plane in ("pixels", "target", "weight"):
            assert np.array_equal(getattr(pictures[index], plane), getattr(expected, plane))
    assert [item.label for item in pictures[1:]] == [0, 0]
    assert len(list(pictures)) == 3


def test_a_warp_moves_pixels_and_leaves_straight_what_it_is_not_told(fitted: list[FittedSample]) -> None:
    warped = CropDataset(fitted, VESSELS, config(augmentation=replace(PLAIN, warp=0.4), crop_px=512))
    plain = CropDataset(fitted, VESSELS, config(augmentation=PLAIN, crop_px=512))
    changed = [not torch.equal(warped[index][1], plain[index][1]) for index in range(8)]
    assert 3 <= sum(changed) <= 8, "seven of ten crops are warped"


def test_brightness_leaves_a_dark_retina_visible() -> None:
    """At the strength that is shipped; a shift of 40 % of the full range makes a dark picture black."""
    dark = FittedSample(
        np.random.default_rng(0).integers(20, 120, (512, 512, 3)).astype(np.uint8),
        np.zeros((512, 512), np.uint8),
        np.full((512, 512), 255, np.uint8),
    )
    shipped = load_config(["task=vessels", "data.root=x", "trainer.crop_px=128"])
    dataset = CropDataset([dark], VESSELS, shipped)
    assert min(float(dataset[index][0].std()) for index in range(40)) > 5
