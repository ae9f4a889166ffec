"""Land seen from above, drawn with its exact classes: fields, woods, a lake, roads and houses.

Every kind of ground has a colour and a texture of its own, so that a network can tell them apart.
"""

from dataclasses import dataclass
from enum import IntEnum

import cv2
import numpy as np
from numpy.typing import NDArray


class Ground(IntEnum):
    """What is drawn, in the order in which it covers what is below it."""

    FIELD = 0
    WOOD = 1
    WATER = 2
    ROAD = 3
    HOUSE = 4


_COLOURS = {
    Ground.FIELD: (176, 160, 112),
    Ground.WOOD: (52, 84, 44),
    Ground.WATER: (44, 78, 112),
    Ground.ROAD: (150, 150, 152),
    Ground.HOUSE: (172, 84, 62),
}
# Grain of the texture: its strength in grey values and its size in pixels.
_TEXTURES = {
    Ground.FIELD: (8.0, 6.0),
    Ground.WOOD: (22.0, 1.5),
    Ground.WATER: (2.0, 4.0),
    Ground.ROAD: (4.0, 0.8),
    Ground.HOUSE: (9.0, 2.5),
}


@dataclass(frozen=True)
class Scene:
    """image uint8 (rows, columns, 3) RGB; ground uint8 (rows, columns), values of `Ground`."""

    image: NDArray[np.uint8]
    ground: NDArray[np.uint8]


def draw_scene(seed: tuple[int, ...], rows_px: int, columns_px: int) -> Scene:
    """Return the land that the seed stands for; the same arguments give the same pixels."""
    rng = np.random.default_rng(seed)
    ground = np.full((rows_px, columns_px), Ground.FIELD, dtype=np.uint8)
    for kind, share in ((Ground.WOOD, 0.25), (Ground.WATER, 0.12)):
        relief = _grain(rng, rows_px, columns_px, 0.12 * min(rows_px, columns_px))
        ground[relief > np.quantile(relief, 1 - share)] = kind
    _draw_roads(ground, rng)
    _draw_houses(ground, rng)
    return Scene(_photograph(ground, rng), ground)


def _draw_roads(ground: NDArray[np.uint8], rng: np.random.Generator) -> None:
    rows_px, columns_px = ground.shape
    for _ in range(2):
        ends = [(-20, int(rng.integers(rows_px))), (columns_px + 20, int(rng.integers(rows_px)))]
        if rng.random() < 0.5:
            ends = [(int(rng.integers(columns_px)), -20), (int(rng.integers(columns_px)), rows_px + 20)]
        cv2.line(ground, ends[0], ends[1], (int(Ground.ROAD),), int(rng.integers(6, 12)))


def _draw_houses(ground: NDArray[np.uint8], rng: np.random.Generator) -> None:
    rows_px, columns_px = ground.shape
    for _ in range(max(3, rows_px * columns_px // 6000)):
        size_px = rng.integers(12, 30, size=2)
        top, left = (int(rng.integers(0, limit - size)) for limit, size in zip(ground.shape, size_px, strict=True))
        plot = ground[top : top + int(size_px[0]), left : left + int(size_px[1])]
        if (plot == Ground.FIELD).all():
            plot[:] = Ground.HOUSE


def _photograph(ground: NDArray[np.uint8], rng: np.random.Generator) -> NDArray[np.uint8]:
    image = np.zeros((*ground.shape, 3), dtype=np.float32)
    rows_px, columns_px = ground.shape
    for kind in Ground:
        strength, size_px = _TEXTURES[kind]
        texture = strength * _grain(rng, rows_px, columns_px, size_px)
        colour = np.array(_COLOURS[kind], np.float32) * rng.uniform(0.92, 1.08)
        image[ground == kind] = (colour + texture[:, :, None])[ground == kind]
    noisy = image + rng.normal(0.0, 3.0, image.shape)
    return np.clip(noisy, 0, 255).astype(np.uint8)


def _grain(rng: np.random.Generator, rows_px: int, columns_px: int, size_px: float) -> NDArray[np.float32]:
    """Smooth noise of mean 0 and standard deviation 1."""
    noise = cv2.GaussianBlur(rng.normal(size=(rows_px, columns_px)).astype(np.float32), (0, 0), size_px)
    return np.asarray((noise - noise.mean()) / noise.std(), dtype=np.float32)
