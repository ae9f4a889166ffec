"""What a caller gets of a tiled segmentation; here, so that it can be named without rasterio."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from fovea_client.task import ClassInfo

OnProgress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class TiledSegmentation:
    """What became of a large picture.

    Attributes:
        mask: the GeoTIFF of class indices, uint8; 255, its no-data value, where the source has no picture.
        probability: the GeoTIFF of probabilities, 0 to 255 for 0 to 1, or None where it was not asked for.
        task: the task that was asked.
        model_version: the version of the task's model that answered; "" where there was nothing to ask.
        classes: the classes, `classes[i]` for mask value i.
        height_px: the picture's height.
        width_px: the picture's width.
        tiles: how many tiles were sent; those without any picture in them are not.
        pixels: how many pixels have each class, in the classes' order.
        elapsed_ms: milliseconds from opening the picture to the finished file.
    """

    mask: Path
    probability: Path | None
    task: str
    model_version: str
    classes: tuple[ClassInfo, ...]
    height_px: int
    width_px: int
    tiles: int
    pixels: tuple[int, ...]
    elapsed_ms: float

    def area_px(self) -> dict[str, int]:
        """Pixels of each class by its name, in the order of the classes; where there is no picture none counts."""
        return {info.name: count for info, count in zip(self.classes, self.pixels, strict=True)}


def tiling_tags(tile_px: int | None, overlap_px: int | None) -> dict[str, str]:
    """What a mask says of how it was cut, in the words of the call."""
    given = {"tile_px": tile_px, "overlap_px": overlap_px}
    return {name: "default" if value is None else str(value) for name, value in given.items()}
