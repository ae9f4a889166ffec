"""What another camera, another operator or another day would have made of the same subject."""

import os
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from tasks import Kind
from training.config import AugmentationConfig

if TYPE_CHECKING:
    import albumentations


def build_augmentation(config: AugmentationConfig, crop_px: int, seed: int, kind: Kind) -> "albumentations.Compose":
    """Return the transform of a picture and its planes to one random crop.

    Args:
        config: how strong each change is.
        crop_px: side of the crop; to a classification, whose label is of the whole picture, it is scaled instead.
        seed: of the transform's own random numbers.
        kind: decides whether the planes hold class indices, which may be picked and never averaged.

    Returns:
        a callable `(image=uint8 (h, w, 3), masks=[uint8 (h, w), …]) → dict` of the same keys, `crop_px` square.
    """
    # albumentations asks the package index for a newer version when it is imported; nothing here may go out.
    os.environ["NO_ALBUMENTATIONS_UPDATE"] = "1"
    import albumentations as A  # noqa: N812, PLC0415 - its own documentation's name; after the line above

    mask_interpolation = cv2.INTER_NEAREST if kind is Kind.SEMANTIC_SEGMENTATION else cv2.INTER_LINEAR
    place = A.Affine(
        scale=(1 - config.scale, 1 + config.scale),
        rotate=(-config.rotate_deg, config.rotate_deg),
        translate_percent=(-config.shift, config.shift),
        interpolation=cv2.INTER_LINEAR,
        mask_interpolation=mask_interpolation,
        p=0.8,
    )
    whole = A.Resize(crop_px, crop_px, interpolation=cv2.INTER_AREA)
    cut = whole if kind is Kind.CLASSIFICATION else A.RandomCrop(crop_px, crop_px)
    limits = (-config.warp, config.warp)
    grid = A.GridDistortion(num_steps=5, distort_limit=limits, mask_interpolation=mask_interpolation, p=0.7)
    warp = [grid] if config.warp else []
    flips = [A.HorizontalFlip(p=0.5), A.VerticalFlip(p=0.5)] if config.flip else []
    return A.Compose([place, cut, *warp, *flips, *_camera(A, config)], seed=seed)


def _camera(A: Any, config: AugmentationConfig) -> list[Any]:  # noqa: N803 - as above
    changes = []
    if config.hue:
        changes.append(A.ColorJitter(config.brightness, config.colour, config.colour, config.hue, p=0.8))
    elif config.colour or config.brightness:
        # The same without the way through hue and back, at a fifth of the time.
        changes.append(A.RandomBrightnessContrast(config.brightness, config.colour, p=0.8))
        changes.append(A.MultiplicativeNoise((1 - config.colour / 2, 1 + config.colour / 2), per_channel=True, p=0.8))
    if config.gamma_percent:
        changes.append(A.RandomGamma((100 - config.gamma_percent, 100 + config.gamma_percent), p=0.5))
    if config.illumination:
        changes.append(A.Illumination(intensity_range=(0.01, max(config.illumination, 0.01)), p=0.5))
    if config.blur_sigma_px:
        lowest = min(0.1, config.blur_sigma_px)
        changes.append(A.GaussianBlur(sigma_limit=(lowest, config.blur_sigma_px), blur_limit=0, p=0.2))
    if config.noise_std:
        changes.append(A.GaussNoise(std_range=(0.0, config.noise_std), p=0.2))
    return changes


def mixing_share(config: AugmentationConfig, seed: tuple[int, ...]) -> float:
    """Return the share of the first of two pictures that are mixed, 0.5–1 (Zhang et al., "mixup", ICLR 2018)."""
    if not config.mixup:
        return 1.0
    share = float(np.random.default_rng(seed).beta(config.mixup, config.mixup))
    return max(share, 1 - share)
