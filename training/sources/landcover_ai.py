"""LandCover.ai (Boguszewski et al., CVPR Workshops 2021): orthophotos as GeoTIFFs, read by window and cut into tiles.

Tiles, their order and their numbers are those of the set's published split: rows of 512 × 512 pixels from the top
left; incomplete tiles at the right and lower edges are counted and dropped.
"""

import hashlib
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from tasks import Kind, TaskSpec
from training.errors import DataError
from training.samples import Labelled, Sample
from training.sources.layout import OnProgress, Reading, Source, counted
from training.sources.pictures import encode_png, partner, pictures

TILE_PX = 512
_SUFFIXES = (".tif", ".tiff")
_LISTS = ("train", "val", "test")


@dataclass(frozen=True)
class _Orthophoto:
    """A picture and its mask, opened."""

    image: Any
    mask: Any

    def tile(self, top_px: int, left_px: int, tile_px: int) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.uint8]]:
        """Pixels (tile, tile, 3) and class indices (tile, tile) of one window; nothing else is read."""
        window = ((top_px, top_px + tile_px), (left_px, left_px + tile_px))
        pixels = np.moveaxis(self.image.read((1, 2, 3), window=window), 0, -1)
        return np.ascontiguousarray(pixels), np.asarray(self.mask.read(1, window=window), dtype=np.uint8)


def read(root: Path, task: TaskSpec, on_progress: OnProgress | None = None, *, tile_px: int = TILE_PX) -> Reading:
    """Return its tiles, named <orthophoto>_<number>; the subject is the orthophoto, because neighbours look alike.

    Raises:
        DataError: an orthophoto without its mask, of another size or place than it, or not 8-bit RGB.
    """
    images = pictures(root / "images", _SUFFIXES)
    found = [
        sample
        for image in counted(images, on_progress)
        for sample in _samples(image, partner(root / "masks", image.stem, image, _SUFFIXES), task, tile_px)
    ]
    return Reading(found)


def read_official(
    root: Path, task: TaskSpec, on_progress: OnProgress | None = None, *, tile_px: int = TILE_PX
) -> Reading:
    """Return the tiles with the publisher's split: those in test.txt are held out, a tile is a subject.

    All orthophotos are in all three parts: what is measured here is flattered by neighbouring tiles. It is comparable
    with published figures, and only for that.

    Raises:
        DataError: as `read`; train.txt, val.txt or test.txt is missing, or names a tile that is not there.
    """
    part_of = _read_lists(root)
    samples = read(root, task, on_progress, tile_px=tile_px).samples
    missing = sorted(part_of.keys() - {sample.name for sample in samples})
    if missing:
        raise DataError(f"{root}/{part_of[missing[0]]}.txt names tile {missing[0]}, and its orthophoto has none such")
    listed = [sample for sample in samples if sample.name in part_of]
    remarks = (f"{len(samples) - len(listed)} tiles are in no list: left out",) if len(listed) < len(samples) else ()
    official = [replace(item, subject=item.name, held_out=part_of[item.name] == "test") for item in listed]
    return Reading(official, remarks)


def _samples(image: Path, mask: Path, task: TaskSpec, tile_px: int) -> Iterator[Sample]:
    with _opened(image, mask) as orthophoto:
        height_px, width_px = orthophoto.image.shape
        corners = [(top, left) for top in range(0, height_px, tile_px) for left in range(0, width_px, tile_px)]
        for number, (top, left) in enumerate(corners):
            if top + tile_px > height_px or left + tile_px > width_px:
                continue
            pixels, classes = orthophoto.tile(top, left, tile_px)
            _check_classes(classes, task, mask)
            yield Sample(
                name=f"{image.stem}_{number}",
                subject=image.stem,
                digest=hashlib.sha256(pixels.tobytes() + classes.tobytes()).hexdigest(),
                read=partial(_read_tile, image, mask, (top, left), tile_px),
            )


def _read_tile(image: Path, mask: Path, corner: tuple[int, int], tile_px: int) -> Labelled:
    with _opened(image, mask) as orthophoto:
        pixels, classes = orthophoto.tile(*corner, tile_px)
    return Labelled(encode_png(pixels), ".png", classes)


@contextmanager
def _opened(image: Path, mask: Path) -> Iterator[_Orthophoto]:
    import rasterio  # noqa: PLC0415 - GDAL is loaded only for orthophotos
    from rasterio.errors import NotGeoreferencedWarning, RasterioError  # noqa: PLC0415

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        try:
            with rasterio.open(image) as pixels, rasterio.open(mask) as classes:
                _check_pair(image, pixels, mask, classes)
                yield _Orthophoto(pixels, classes)
        except (RasterioError, OSError) as error:
            raise DataError(f"orthophoto {image} or its mask cannot be read ({error}); restore the files") from error


def _check_pair(image: Path, pixels: Any, mask: Path, classes: Any) -> None:
    if pixels.count < 3 or set(pixels.dtypes[:3]) != {"uint8"}:
        raise DataError(f"orthophoto {image} has {pixels.count} bands of {pixels.dtypes[0]}; it needs three of uint8")
    if classes.dtypes[0] != "uint8":
        raise DataError(f"mask {mask} has samples of {classes.dtypes[0]}; it needs class indices of uint8")
    if pixels.shape != classes.shape:
        raise DataError(f"orthophoto {image} has {pixels.shape} rows and columns and mask {mask} {classes.shape}")
    # Masks are often written without a place; two places that differ are a mix-up.
    if pixels.crs and classes.crs and not pixels.transform.almost_equals(classes.transform):
        raise DataError(f"mask {mask} lies elsewhere on the ground than orthophoto {image}; pair the right files")


def _check_classes(classes: npt.NDArray[np.uint8], task: TaskSpec, mask: Path) -> None:
    highest = int(classes.max())
    if highest >= len(task.classes):
        raise DataError(
            f"mask {mask} has the value {highest} and {task.name} has the classes 0–{len(task.classes) - 1}"
        )


def _read_lists(root: Path) -> dict[str, str]:
    """Tile → the part that lists it."""
    part_of: dict[str, str] = {}
    for part in _LISTS:
        path = root / f"{part}.txt"
        if not path.is_file():
            raise DataError(f"the official split needs {path}; without it, source=landcover_ai holds out orthophotos")
        for name in path.read_text().split():
            if part_of.setdefault(name, part) != part:
                raise DataError(f"tile {name} is in {part_of[name]}.txt and in {part}.txt; restore the published lists")
    return part_of


def _recognises(root: Path) -> bool:
    return bool(pictures(root / "images", _SUFFIXES)) and (root / "masks").is_dir()


_EXPECTS = "images/<orthophoto>.tif and masks/<orthophoto>.tif"
_LICENCE = "CC BY-NC-SA 4.0"

LANDCOVER_AI = Source(Kind.SEMANTIC_SEGMENTATION, _EXPECTS, _recognises, read, _LICENCE)
LANDCOVER_AI_OFFICIAL = Source(
    Kind.SEMANTIC_SEGMENTATION,
    f"{_EXPECTS}, with train.txt, val.txt and test.txt",
    lambda root: False,  # noqa: ARG005 - it has to be asked for: its figures flatter
    read_official,
    _LICENCE,
)
