"""The field of view is found on drawn discs, and on real photographs where they are at hand."""

from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import pytest

from tasks.held_out import read_mask
from tasks.imaging import decode, field_of_view

CHASE_DB1 = Path(__file__).parents[3] / "shared" / "data" / "chase_db1"


def iou(first: npt.NDArray[np.bool_], second: npt.NDArray[np.bool_]) -> float:
    return float((first & second).sum() / (first | second).sum())


@pytest.mark.parametrize(("height_px", "width_px"), [(300, 300), (960, 999), (2000, 3000)])
@pytest.mark.parametrize("brightness", [60, 160, 255])
def test_disc_on_a_noisy_black_frame(height_px: int, width_px: int, brightness: int) -> None:
    disc = np.zeros((height_px, width_px), np.uint8)
    cv2.circle(disc, (width_px // 2, height_px // 2), int(0.47 * height_px), 1, -1)
    noise = np.random.default_rng(0).integers(0, 6, (height_px, width_px, 1), dtype=np.uint8)
    image = disc[:, :, None] * np.array([brightness, brightness // 2, brightness // 4], np.uint8) + noise
    assert iou(field_of_view(image.astype(np.uint8)), disc.astype(np.bool_)) > 0.98


@pytest.mark.parametrize("image", [np.zeros((200, 300, 3), np.uint8), np.full((200, 300, 3), 180, np.uint8)])
def test_without_a_disc_nothing_is_thrown_away(image: npt.NDArray[np.uint8]) -> None:
    assert field_of_view(image).mean() > 0.97


@pytest.mark.skipif(not CHASE_DB1.is_dir(), reason="CHASE_DB1 is not beside the checkout")
def test_real_photographs_agree_with_the_published_masks() -> None:
    for path in sorted((CHASE_DB1 / "images").glob("*.jpg")):
        found = field_of_view(decode(path.read_bytes()))
        assert iou(found, read_mask(CHASE_DB1 / "mask" / f"{path.stem}.gif")) > 0.97, path.name
