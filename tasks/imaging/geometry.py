"""From a picture of any size to the square that a network takes, and exactly back."""

from dataclasses import astuple, dataclass
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from tasks.errors import ShapeError


@dataclass(frozen=True)
class Geometry:
    """Where a square lies in a picture, in the picture's own pixels. The square may reach over the picture's border.

    Attributes:
        height_px: the picture's height.
        width_px: the picture's width.
        top_px: first row of the square; negative above the picture.
        left_px: first column of the square; negative left of the picture.
        side_px: the square's side, at least 1.
    """

    height_px: int
    width_px: int
    top_px: int
    left_px: int
    side_px: int

    def to_array(self) -> npt.NDArray[np.int32]:
        """Return int32 (5,): the attributes in their order, as they travel between Triton models."""
        return np.array(astuple(self), dtype=np.int32)

    @classmethod
    def from_array(cls, array: npt.NDArray[np.integer[Any]]) -> "Geometry":
        """Return the geometry whose `to_array` this is.

        Raises:
            ShapeError: not five positive-sized integers.
        """
        values = [int(value) for value in np.ravel(array)]
        if len(values) != 5 or min(values[0], values[1], values[4]) < 1:
            raise ShapeError(f"a geometry is five integers with positive sizes, not {values}")
        return cls(*values)


def square_around(region: npt.NDArray[np.bool_]) -> Geometry:
    """Return the smallest square, centred on the region's bounding box, that holds all of the region.

    Args:
        region: bool (height, width). If nothing is set the whole picture counts.
    """
    rows, columns = np.flatnonzero(region.any(axis=1)), np.flatnonzero(region.any(axis=0))
    height_px, width_px = region.shape
    top, bottom = (int(rows[0]), int(rows[-1]) + 1) if rows.size else (0, height_px)
    left, right = (int(columns[0]), int(columns[-1]) + 1) if columns.size else (0, width_px)
    side = max(bottom - top, right - left)
    return Geometry(height_px, width_px, (top + bottom - side) // 2, (left + right - side) // 2, side)


def fit(
    image: npt.NDArray[np.uint8], geometry: Geometry, size_px: int, *, nearest: bool = False
) -> npt.NDArray[np.uint8]:
    """Cut the square out of the picture (black beyond its border) and scale it to the network's size.

    Args:
        image: uint8 (height, width) or (height, width, channels).
        geometry: the square; made for a picture of this size.
        size_px: side of the result.
        nearest: whether to pick values instead of averaging them, as class indices need it.

    Returns:
        uint8 (size_px, size_px) or (size_px, size_px, channels).

    Raises:
        ShapeError: the picture has not the size that the geometry was made for.
    """
    if image.shape[:2] != (geometry.height_px, geometry.width_px):
        expected = (geometry.height_px, geometry.width_px)
        raise ShapeError(f"the geometry is for {expected} rows and columns and the picture has {image.shape[:2]}")
    square = np.zeros((geometry.side_px, geometry.side_px, *image.shape[2:]), dtype=np.uint8)
    inside, outside = _windows(geometry)
    square[inside] = image[outside]
    return _resize(square, size_px, nearest=nearest)


def unfit(plane: npt.NDArray[np.uint8], geometry: Geometry, *, nearest: bool = False) -> npt.NDArray[np.uint8]:
    """Put a plane of the network's size back to where `fit` took it from; the inverse of `fit`.

    Args:
        plane: uint8 (size_px, size_px).
        geometry: what `fit` was given.
        nearest: whether to pick values instead of interpolating them, as class indices need it.

    Returns:
        uint8 (height_px, width_px) of the picture; 0 outside the square. If the square has the plane's size, every
        value is kept to the bit; else values are interpolated and positions are kept to the pixel's centre.

    Raises:
        ShapeError: the plane is not square.
    """
    if plane.ndim != 2 or plane.shape[0] != plane.shape[1]:
        raise ShapeError(f"a plane of the network is square, this one has the shape {plane.shape}")
    picture = np.zeros((geometry.height_px, geometry.width_px), dtype=np.uint8)
    inside, outside = _windows(geometry)
    picture[outside] = _resize(plane, geometry.side_px, nearest=nearest)[inside]
    return picture


def _resize(square: npt.NDArray[np.uint8], size_px: int, *, nearest: bool) -> npt.NDArray[np.uint8]:
    if square.shape[0] == size_px:
        return square
    # Area averaging keeps thin vessels when shrinking; it would give blocks when enlarging.
    smooth = cv2.INTER_AREA if square.shape[0] > size_px else cv2.INTER_LINEAR
    # INTER_NEAREST rounds towards the corner; the exact variant keeps pixel centres.
    method = cv2.INTER_NEAREST_EXACT if nearest else smooth
    return np.asarray(cv2.resize(square, (size_px, size_px), interpolation=method), dtype=np.uint8)


def _windows(geometry: Geometry) -> tuple[tuple[slice, slice], tuple[slice, slice]]:
    """Return the overlap of square and picture, in the square's and in the picture's coordinates."""
    rows = _overlap(geometry.top_px, geometry.side_px, geometry.height_px)
    columns = _overlap(geometry.left_px, geometry.side_px, geometry.width_px)
    return (rows[0], columns[0]), (rows[1], columns[1])


def _overlap(start: int, length: int, limit: int) -> tuple[slice, slice]:
    first, last = max(start, 0), min(start + length, limit)
    return slice(first - start, max(last - start, first - start)), slice(first, max(last, first))
