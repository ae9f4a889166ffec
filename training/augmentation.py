"""What another camera, another operator or another day would have made of the same retina."""

import os
from typing import TYPE_CHECKING

import cv2

from training.config import AugmentationConfig

if TYPE_CHECKING:
    import albumentations


def build_augmentation(config: AugmentationConfig, crop_px: int, seed: int) -> "albumentations.Compose":
    """Return the transform of a picture and its masks to one random crop.

    Args:
        config: how strong each change is.
        crop_px: side of the crop.
        seed: of the transform's own random numbers.

    Returns:
        a callable `(image=uint8 (h, w, 3), masks=[uint8 (h, w), …]) → dict` of the same keys, `crop_px` square.
    """
    # albumentations asks the package index for a newer version when it is imported; nothing here may go out.
    os.environ["NO_ALBUMENTATIONS_UPDATE"] = "1"
    import albumentations as A  # noqa: N812, PLC0415 - its own documentation's name; after the line above

    return A.Compose(
        [
            A.Affine(
                scale=(1 - config.scale, 1 + config.scale),
                rotate=(-config.rotate_deg, config.rotate_deg),
                interpolation=cv2.INTER_LINEAR,
                mask_interpolation=cv2.INTER_LINEAR,
                p=0.8,
            ),
            A.RandomCrop(crop_px, crop_px),
            A.HorizontalFlip(p=0.5),
            A.VerticalFlip(p=0.5),
            A.ColorJitter(config.colour, config.colour, config.colour, config.hue, p=0.8),
            A.RandomGamma((100 - config.gamma_percent, 100 + config.gamma_percent), p=0.5),
            A.GaussianBlur(sigma_limit=(0.1, config.blur_sigma_px), blur_limit=0, p=0.2),
            A.GaussNoise(std_range=(0.0, config.noise_std), p=0.2),
        ],
        seed=seed,
    )
