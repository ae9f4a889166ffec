"""One picture's way through the tiles: what is sent next, what an answer finishes, what is written."""

import time
from collections import deque
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from types import TracebackType
from typing import Self

import numpy as np
import numpy.typing as npt

from fovea_client.errors import FoveaError, InvalidRequestError, OutputError, ServerError
from fovea_client.many import Outcome
from fovea_client.png import Image
from fovea_client.segmentation import Segmentation
from fovea_client.task import ClassInfo, TaskInfo
from fovea_client.tiled.blending import Blender
from fovea_client.tiled.grid import Grid, plan_grid
from fovea_client.tiled.raster import NO_DATA, Area, RasterSource, RasterTarget, source_tags
from fovea_client.tiled.result import OnProgress, TiledSegmentation, tiling_tags

# Where the server does not say what its network takes.
_TILE_PX = 512


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
        tile_px: side of a tile, which is what the network sees at once; None for the network's own size.
        overlap_px: what neighbouring tiles share at least, None for half a tile.
        probability: the probability's GeoTIFF, None for none.
        progress: called with the tiles done and the tiles in all.

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
        tile_px: int | None = None,
        overlap_px: int | None = None,
        probability: Path | None = None,
        progress: OnProgress | None = None,
    ) -> None:
        self._started_s = time.perf_counter()
        self._task, self._progress = task, progress
        # A cancelled task's thread may still read or write when the files are closed.
        self._lock = Lock()
        self._waiting: deque[_Waiting] = deque()
        self._pixels = np.zeros(NO_DATA + 1, np.int64)
        self._version, self._done, self._sent = "", 0, 0
        with ExitStack() as stack:
            self._source = RasterSource(source)
            stack.callback(self._source.close)
            _refuse_own_input(source, to, probability)
            self.grid: Grid = plan_grid(
                self._source.height_px,
                self._source.width_px,
                tile_px=tile_px or task.size_px or _TILE_PX,
                overlap_px=overlap_px,
            )
            self._blender = Blender(self.grid, len(task.classes))
            about = {"task": task.name} | tiling_tags(tile_px, overlap_px) | source_tags(source)
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
        with self._lock:
            self._stack.close()

    @property
    def held_bytes(self) -> int:
        """Bytes of earlier answers that later cells still need."""
        return self._blender.held_bytes

    def tiles(self) -> Iterator[Image | Path]:
        """Tiles to send, in order, each read when it is asked for: uint8 HxW or HxWx3, or the file itself."""
        for row, column in self.grid:
            with self._lock:
                pixels = self._next(row, column)
            if pixels is not None:
                yield pixels

    def take(self, outcome: Outcome[Segmentation]) -> None:
        """Join the answer to the first tile that has none, and write what it finishes.

        Raises:
            FoveaError: the outcome's own, for the whole picture and with the tile's place.
        """
        with self._lock:
            self._skip_empty()
            self._take(self._waiting.popleft(), outcome)

    def finish(self) -> TiledSegmentation:
        """Let the files appear; call it once every tile is answered."""
        with self._lock:
            self._commit()
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

    def _commit(self) -> None:
        self._skip_empty()
        if self._waiting or self._done != len(self.grid):
            raise InvalidRequestError(f"{self._source.path}: {self._done} of {len(self.grid)} tiles are done")
        # The mask last: where it is, the probability is.
        for target in (self._probability, self._mask):
            if target is not None:
                target.commit()

    def _next(self, row: int, column: int) -> Image | Path | None:
        """The tile's pixels, or None where there is nothing to ask about."""
        area = Area(self.grid.rows.tile(row), self.grid.columns.tile(column))
        data = self._source.has_data(area) if self._source.partial else None
        empty = data is not None and not data.any()
        self._waiting.append(_Waiting(row, column, area, None if empty else data, empty))
        if empty:
            return None
        # JPEG decoders differ by a level or two: what fits is decoded where `segment` has it decoded.
        whole = len(self.grid) == 1 and self._source.lossy
        return self._source.path if whole else self._mirrored(row, column, self._source.read(area))

    def _mirrored(self, row: int, column: int, pixels: Image) -> Image:
        """The tile at its full size, the picture mirrored beyond its end."""
        lacking = self.grid.rows.missing_px(row), self.grid.columns.missing_px(column)
        return np.pad(pixels, ((0, lacking[0]), (0, lacking[1]), (0, 0))[: pixels.ndim], "symmetric")

    def _take(self, tile: _Waiting, outcome: Outcome[Segmentation]) -> None:
        try:
            answer = outcome.unwrap()
        except FoveaError as error:
            message = f"{self._source.path}: no answer to the tile at {tile.area}, so nothing was written: {error}"
            about = {"model": error.model, "server_message": error.server_message, "status": error.status}
            raise type(error)(message, **about) from error
        (top, bottom), (left, right) = tile.area.rows, tile.area.columns
        height_px, width_px = bottom - top, right - left
        lacking = self.grid.rows.missing_px(tile.row), self.grid.columns.missing_px(tile.column)
        if answer.mask.shape != (height_px + lacking[0], width_px + lacking[1]):
            message = f"the answer to the tile at {tile.area} has another size: {answer.mask.shape}"
            raise ServerError(message, model=self._task.name)
        planes = answer.mask[:height_px, :width_px], answer.probability[:height_px, :width_px]
        mask, probability = self._blender.add(tile.row, tile.column, *planes)
        self._version, self._sent = answer.model_version, self._sent + 1
        self._write(tile, mask, probability)

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
