"""One picture's way through the tiles: what is sent next, what an answer finishes, what is written."""

import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np
import numpy.typing as npt

from fovea_client.errors import FoveaError, InvalidRequestError, OutputError, ServerError
from fovea_client.png import Image
from fovea_client.segmentation import Segmentation
from fovea_client.task import ClassInfo, TaskInfo
from fovea_client.tiled.blending import Blender
from fovea_client.tiled.grid import Grid, plan_grid
from fovea_client.tiled.raster import NO_DATA, Area, RasterSource, RasterTarget, gdal

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


@dataclass(frozen=True, slots=True, eq=False)
class _Waiting:
    """A tile in reading order that is not answered yet, or that has nothing to be asked about."""

    row: int
    column: int
    area: Area
    data: npt.NDArray[np.bool_] | None
    empty: bool


class Mosaic:
    """Cuts a picture and joins the answers. Use it in a `with` block; what was not finished leaves no file.

    `tiles` gives what to send, `take` the answers in the same order, `finish` the result. Neither the whole picture nor
    the whole mask is held: `held_bytes` is what the overlaps of one row of tiles take.

    Args:
        source: the picture, in any format that GDAL reads.
        to: the mask's GeoTIFF.
        task: what the server says of the task.
        tile_px: side of a tile.
        overlap_px: what neighbouring tiles share at least, None for half a tile.
        probability: the probability's GeoTIFF, None for none.
        progress: called with the tiles done and the tiles in all.
        tags: kept in the files beside the task.

    Raises:
        InvalidImageError: the picture cannot be read.
        InvalidRequestError: tile and overlap do not fit each other.
        OutputError: a file cannot be written there.
    """

    def __init__(
        self,
        source: Path,
        to: Path,
        *,
        task: TaskInfo,
        tile_px: int,
        overlap_px: int | None = None,
        probability: Path | None = None,
        progress: OnProgress | None = None,
        tags: dict[str, str] | None = None,
    ) -> None:
        self._started_s = time.perf_counter()
        self._task, self._progress = task, progress
        self._waiting: deque[_Waiting] = deque()
        self._pixels = np.zeros(NO_DATA + 1, np.int64)
        self._version, self._done, self._sent = "", 0, 0
        with ExitStack() as stack:
            stack.enter_context(gdal())
            self._source = RasterSource(source)
            stack.callback(self._source.close)
            _refuse_own_input(source, to, probability)
            self.grid: Grid = plan_grid(
                self._source.height_px, self._source.width_px, tile_px=tile_px, overlap_px=overlap_px
            )
            self._blender = Blender(self.grid, len(task.classes))
            about = {"task": task.name} | (tags or {})
            self._mask = stack.enter_context(self._target(to, about, task.classes))
            self._probability = None
            if probability is not None:
                self._probability = stack.enter_context(self._target(probability, about, None))
            self._stack = stack.pop_all()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._stack.close()

    @property
    def held_bytes(self) -> int:
        """Bytes of earlier answers that later cells still need."""
        return self._blender.held_bytes

    def tiles(self) -> Iterator[Image]:
        """Tiles to send, in order, each read when it is asked for: uint8 HxW or HxWx3."""
        for row, column in self.grid:
            area = Area(self.grid.rows.tile(row), self.grid.columns.tile(column))
            data = self._source.has_data(area) if self._source.partial else None
            empty = data is not None and not data.any()
            self._waiting.append(_Waiting(row, column, area, data, empty))
            if not empty:
                yield self._source.read(area)

    def take(self, answer: Segmentation) -> None:
        """Join the answer to the first tile that has none, and write what it finishes."""
        self._skip_empty()
        tile = self._waiting.popleft()
        (top, bottom), (left, right) = tile.area.rows, tile.area.columns
        if answer.mask.shape != (bottom - top, right - left):
            raise ServerError(f"the answer to {tile.area} has another size: {answer.mask.shape}", model=self._task.name)
        mask, probability = self._blender.add(tile.row, tile.column, answer.mask, answer.probability)
        self._version, self._sent = answer.model_version, self._sent + 1
        self._write(tile, mask, probability)

    def failed(self, error: FoveaError) -> FoveaError:
        """The same error for the whole picture, with the place of the first tile that has no answer."""
        self._skip_empty()
        place = f" of the tile at {self._waiting[0].area}" if self._waiting else ""
        message = f"{self._source.path}: no answer{place}, so nothing was written: {error}"
        return type(error)(message, model=error.model, server_message=error.server_message)

    def finish(self) -> TiledSegmentation:
        """Let the files appear; call it once every tile is answered."""
        self._skip_empty()
        if self._waiting or self._done != len(self.grid):
            raise InvalidRequestError(f"{self._source.path}: {self._done} of {len(self.grid)} tiles are done")
        # The mask last: where it is, the probability is.
        for target in (self._probability, self._mask):
            if target is not None:
                target.commit()
        return TiledSegmentation(
            self._mask.path,
            self._probability.path if self._probability else None,
            self._task.name,
            self._version,
            self._task.classes,
            self._source.height_px,
            self._source.width_px,
            self._sent,
            tuple(int(count) for count in self._pixels[: len(self._task.classes)]),
            (time.perf_counter() - self._started_s) * 1000,
        )

    def _target(self, path: Path, tags: dict[str, str], classes: tuple[ClassInfo, ...] | None) -> RasterTarget:
        return RasterTarget(path, self._source, block_px=self.grid.block_px, classes=classes, tags=tags)

    def _skip_empty(self) -> None:
        while self._waiting and self._waiting[0].empty:
            tile = self._waiting.popleft()
            self._blender.skip(tile.row, tile.column)
            cell = self._cell(tile)
            shape = cell.rows[1] - cell.rows[0], cell.columns[1] - cell.columns[0]
            self._write(tile, np.full(shape, NO_DATA, np.uint8), np.zeros(shape, np.uint8))

    def _write(self, tile: _Waiting, mask: Image, probability: Image) -> None:
        cell = self._cell(tile)
        if tile.data is not None:
            top, left = cell.rows[0] - tile.area.rows[0], cell.columns[0] - tile.area.columns[0]
            inside = tile.data[top : top + mask.shape[0], left : left + mask.shape[1]]
            mask = np.where(inside, mask, np.uint8(NO_DATA))
            probability = np.where(inside, probability, np.uint8(0))
        self._mask.write(cell, mask)
        if self._probability is not None:
            self._probability.write(cell, probability)
        self._pixels += np.bincount(mask.ravel(), minlength=NO_DATA + 1)
        self._done += 1
        if self._progress is not None:
            self._progress(self._done, len(self.grid))

    def _cell(self, tile: _Waiting) -> Area:
        return Area(self.grid.rows.cell(tile.row), self.grid.columns.cell(tile.column))


def _refuse_own_input(source: Path, *targets: Path | None) -> None:
    given = [target for target in targets if target is not None]
    for target in given:
        if target.exists() and target.samefile(source):
            raise OutputError(f"{target} is the picture itself: choose another place for the result")
    if len({target.resolve() for target in given}) < len(given):
        raise OutputError(f"{given[0]} was named twice: mask and probability need a file each")
