"""Drawn land on disk, once in the layout of the Dubai set and once in that of LandCover.ai."""

from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from tasks import TaskSpec, get_task
from training.synthetic.files import OnProgress, Picture, check_arguments, write_pictures
from training.synthetic.scenery import Ground, draw_scene

GENERATOR_VERSION = 1
SMALLEST_PX = 64
PARTS_PER_TILE = 4
_DUBAI = {
    Ground.FIELD: "land",
    Ground.WOOD: "vegetation",
    Ground.WATER: "water",
    Ground.ROAD: "road",
    Ground.HOUSE: "building",
}
_LANDCOVER = _DUBAI | {Ground.FIELD: "background", Ground.WOOD: "woodland"}
_POLAND_CS92 = 2180  # the EPSG code of the real orthophotos' reference system
_PIXEL_M = 0.5


def write_dubai_aerial(
    root: Path, *, subjects: int, seed: int = 0, size_px: int = 512, on_progress: OnProgress | None = None
) -> Path:
    """Return `root`, now holding `subjects` folders "Tile <n>" of images/*.jpg and coloured masks/*.png.

    Pictures are `size_px` wide and three quarters of it high. A strip of each mask is unlabeled, its end pure black.

    Raises:
        ValueError: fewer than 2 subjects, a negative seed or a size below 64 pixels.
        FileExistsError: `root` holds something else.
    """
    check_arguments(subjects, 2, seed, size_px, SMALLEST_PX)
    pictures = [
        Picture(
            (
                root / f"Tile {tile}" / "images" / f"image_part_{part:03d}.jpg",
                root / f"Tile {tile}" / "masks" / f"image_part_{part:03d}.png",
            ),
            partial(_save_dubai, (seed, tile, part), size_px),
        )
        for tile in range(1, subjects + 1)
        for part in range(1, PARTS_PER_TILE + 1)
    ]
    return write_pictures(root, pictures, _parameters("dubai_aerial", subjects, seed, size_px), on_progress)


def write_landcover_ai(
    root: Path, *, subjects: int, seed: int = 0, size_px: int = 1300, on_progress: OnProgress | None = None
) -> Path:
    """Return `root`, now holding `subjects` orthophotos, images/*.tif and masks/*.tif, with their place on the ground.

    Orthophotos are `size_px` wide and a tenth higher, so that whole tiles leave an edge over. Masks hold class indices.

    Raises:
        ValueError: fewer than 2 subjects, a negative seed or a size below 64 pixels.
        FileExistsError: `root` holds something else.
    """
    check_arguments(subjects, 2, seed, size_px, SMALLEST_PX)
    pictures = [
        Picture(
            (root / "images" / f"M-33-{number:02d}.tif", root / "masks" / f"M-33-{number:02d}.tif"),
            partial(_save_landcover, (seed, number), size_px),
        )
        for number in range(1, subjects + 1)
    ]
    return write_pictures(root, pictures, _parameters("landcover_ai", subjects, seed, size_px), on_progress)


def _parameters(task: str, subjects: int, seed: int, size_px: int) -> dict[str, object]:
    made: dict[str, object] = {"task": task, "subjects": subjects, "seed": seed, "size_px": size_px}
    return made | {"generator": GENERATOR_VERSION}


def _save_dubai(seed: tuple[int, ...], size_px: int, paths: tuple[Path, ...]) -> None:
    scene = draw_scene(seed, 3 * size_px // 4, size_px)
    task = get_task("dubai_aerial")
    colours = np.array([info.colour for info in task.classes], dtype=np.uint8)[_indices(task, _DUBAI)[scene.ground]]
    strip = max(size_px // 64, 2)
    colours[:strip] = task.classes[0].colour
    colours[:strip, -strip:] = 0
    Image.fromarray(scene.image).save(paths[0], quality=92)
    Image.fromarray(colours).save(paths[1])


def _save_landcover(seed: tuple[int, ...], size_px: int, paths: tuple[Path, ...]) -> None:
    scene = draw_scene(seed, size_px + size_px // 10, size_px)
    classes = _indices(get_task("landcover_ai"), _LANDCOVER)[scene.ground]
    # Orthophotos of one set lie beside each other.
    left_m, top_m = 250_000.0 + 10_000.0 * seed[-1], 400_000.0
    _write_geotiff(paths[0], np.moveaxis(scene.image, -1, 0), left_m, top_m)
    _write_geotiff(paths[1], classes[None], left_m, top_m)


def _write_geotiff(path: Path, bands: np.ndarray[Any, np.dtype[np.uint8]], left_m: float, top_m: float) -> None:
    import rasterio  # noqa: PLC0415 - GDAL is loaded only for orthophotos
    from rasterio.transform import from_origin  # noqa: PLC0415

    count, rows, columns = bands.shape
    place = {"crs": f"EPSG:{_POLAND_CS92}", "transform": from_origin(left_m, top_m, _PIXEL_M, _PIXEL_M)}
    shape = {"count": count, "height": rows, "width": columns, "dtype": "uint8"}
    with rasterio.open(path, "w", driver="GTiff", compress="deflate", **shape, **place) as file:
        file.write(bands)


def _indices(task: TaskSpec, names: dict[Ground, str]) -> np.ndarray[Any, np.dtype[np.uint8]]:
    """By `Ground`, the task's class index."""
    index_of = {info.name: index for index, info in enumerate(task.classes)}
    return np.array([index_of[names[ground]] for ground in Ground], dtype=np.uint8)
