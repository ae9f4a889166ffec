"""Where tiles lie in a picture, which part of it each of them finishes, and how much its answer counts there.

Along an axis tile k starts at k · stride. A network that halves its picture again and again answers otherwise to one
that is moved by a pixel; so the last tile is not moved back, but what it lacks beyond the picture's end is mirrored.

From k · stride on, over the overlap, the answer passes from tile k - 1 to tile k. So at most two tiles meet along an
axis, four in the plane, their weights sum to 1, and once tile (row, column) is answered, all before it in reading order
being answered, the cell from its own boundary to the next is final. Cells begin at multiples of the output's block:
each block of the file is written once.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from fovea_client.errors import InvalidRequestError

Weights = npt.NDArray[np.float32]

# A GeoTIFF's block has sides of a multiple of 16 pixels.
_BLOCKS_PX = (256, 128, 64, 32, 16)
_MIN_TILE_PX = 64
# Next to its edge a tile has seen one side only: the outer quarter of an overlap does not count at all.
_MARGIN_SHARE = 0.25
# Larger blocks read faster; more than a tenth of a stride is too much to pay for them.
_CLOSE_SHARE = 0.9


@dataclass(frozen=True, slots=True)
class Axis:
    """Tiles along rows or columns of a picture.

    Attributes:
        length_px: the picture's side.
        tile_px: a tile's side; a shorter picture is one tile of its own length.
        stride_px: distance of neighbouring tiles, at least half a tile.
    """

    length_px: int
    tile_px: int
    stride_px: int

    @property
    def count(self) -> int:
        """How many tiles cover the axis."""
        return 1 + max(0, -(-(self.length_px - self.tile_px) // self.stride_px))

    def tile(self, index: int) -> tuple[int, int]:
        """First pixel of the picture in a tile, and the one after the last."""
        start = index * self.stride_px
        return start, min(start + self.tile_px, self.length_px)

    def missing_px(self, index: int) -> int:
        """How many pixels a tile lacks beyond the picture's end; a picture of one tile lacks none."""
        start, stop = self.tile(index)
        return self.tile_px - (stop - start) if self.count > 1 else 0

    def cell(self, index: int) -> tuple[int, int]:
        """First pixel and the one after the last of what is final once the tile is answered."""
        last = index == self.count - 1
        return index * self.stride_px, self.length_px if last else (index + 1) * self.stride_px

    def weight(self, index: int) -> Weights:
        """float32 (pixels of the tile,), 0 to 1: how much its answer counts; over all tiles they sum to 1."""
        start, stop = self.tile(index)
        position = np.arange(start, stop)
        entering = self._passed(position - index * self.stride_px) if index else np.ones(len(position), np.float32)
        if index == self.count - 1:
            return entering
        return entering * (1 - self._passed(position - (index + 1) * self.stride_px))

    def _passed(self, into_overlap_px: npt.NDArray[np.int_]) -> Weights:
        """How far the answer has passed to the next tile, 0 to 1, so many pixels into the overlap."""
        overlap_px = self.tile_px - self.stride_px
        margin_px = int(overlap_px * _MARGIN_SHARE)
        # Without an overlap it is a step: half a pixel is passed before the first one is over.
        share = (into_overlap_px + 0.5 - margin_px) / max(overlap_px - 2 * margin_px, 0.5)
        return np.clip(share, 0, 1).astype(np.float32)


@dataclass(frozen=True, slots=True)
class Grid:
    """The tiles of a picture, numbered by row and column in reading order."""

    rows: Axis
    columns: Axis
    block_px: int

    def __len__(self) -> int:
        return self.rows.count * self.columns.count

    def __iter__(self) -> Iterator[tuple[int, int]]:
        return ((row, column) for row in range(self.rows.count) for column in range(self.columns.count))


def plan_grid(height_px: int, width_px: int, *, tile_px: int, overlap_px: int | None = None) -> Grid:
    """The tiles that cover a picture of this size.

    Args:
        height_px: the picture's height.
        width_px: the picture's width.
        tile_px: a tile's side.
        overlap_px: what neighbours share at least, rounded up so that cells fit the file's blocks; None for half a
            tile, which is what it takes for masks as of a network that sees the whole picture at once.

    Raises:
        InvalidRequestError: tiles too small, or an overlap of more than half a tile.
    """
    if tile_px < _MIN_TILE_PX:
        raise InvalidRequestError(f"tile_px is {tile_px}: give at least {_MIN_TILE_PX} pixels")
    most_px = tile_px - -(-tile_px // 32) * 16
    overlap_px = most_px if overlap_px is None else overlap_px
    if not 0 <= overlap_px <= most_px:
        raise InvalidRequestError(f"overlap_px is {overlap_px}: tiles of {tile_px} pixels take 0 to {most_px}")
    block_px, stride_px = _aligned(tile_px - overlap_px)
    rows, columns = (Axis(side_px, tile_px, stride_px) for side_px in (height_px, width_px))
    return Grid(rows, columns, block_px)


def _aligned(stride_px: int) -> tuple[int, int]:
    """The largest block whose multiple comes close below the stride, and that multiple."""
    strides = {block_px: stride_px // block_px * block_px for block_px in _BLOCKS_PX}
    close = [block_px for block_px in _BLOCKS_PX if strides[block_px] >= _CLOSE_SHARE * stride_px]
    block_px = close[0] if close else _BLOCKS_PX[-1]
    return block_px, strides[block_px]
