"""Joins the answers of overlapping tiles, cell by cell; holds no more than one row of overlaps.

Two classes: the server tells the foreground's probability, which is the whole distribution. Probabilities are averaged
by the tiles' weights; where tiles disagree the average decides, from 0.5 on, which is where Fovea's calibrated networks
put their threshold.

More classes: the server tells only the winner and its probability. Every tile votes for the class that it names, with
its weight times that probability; the class of most votes wins and its votes are its probability. Where tiles
disagree that is a lower bound, because what the others gave to the winner is not known.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from fovea_client.png import Image
from fovea_client.tiled.grid import Axis, Grid, Weights

_HALF = 127.5
_ROUNDING = 1e-4


@dataclass(frozen=True, slots=True, eq=False)
class _Piece:
    """An answer, or what of it is still needed: planes from this row and column of the picture on."""

    row: int
    column: int
    top_px: int
    left_px: int
    mask: Image
    probability: Image


@dataclass(frozen=True, slots=True, eq=False)
class _Part:
    """What a piece says of a cell: slices of the cell, and the values and weights there."""

    rows: slice
    columns: slice
    mask: Image
    probability: Image
    weight: Weights


class Blender:
    """Takes tiles' answers in reading order, leaving out tiles that hold nothing; gives the cell that each finishes."""

    def __init__(self, grid: Grid, classes: int) -> None:
        self._grid = grid
        self._join = _join_binary if classes == 2 else _join_votes
        self._held: dict[tuple[int, int], _Piece] = {}

    @property
    def held_bytes(self) -> int:
        """How many bytes of earlier tiles are still needed."""
        return sum(piece.mask.nbytes + piece.probability.nbytes for piece in self._held.values())

    def add(self, row: int, column: int, mask: Image, probability: Image) -> tuple[Image, Image]:
        """The finished cell of this tile: mask and probability, uint8, as `Segmentation` has them."""
        top_px, left_px = self._grid.rows.tile(row)[0], self._grid.columns.tile(column)[0]
        self._held[row, column] = _Piece(row, column, top_px, left_px, mask, probability)
        rows, columns = self._grid.rows.cell(row), self._grid.columns.cell(column)
        parts = list(self._parts(row, column))
        shape = rows[1] - rows[0], columns[1] - columns[0]
        cell = (parts[0].mask, parts[0].probability) if _covers(parts, shape) else self._join(parts, shape)
        self._release(row, column)
        return cell

    def skip(self, row: int, column: int) -> None:
        """Take note of a tile that holds nothing and has no answer."""
        self._release(row, column)

    def _parts(self, row: int, column: int) -> Iterator[_Part]:
        rows, columns = self._grid.rows.cell(row), self._grid.columns.cell(column)
        for above in (row - 1, row):
            for left in (column - 1, column):
                if (above, left) in self._held:
                    yield _part(self._held[above, left], self._grid, rows, columns)

    def _release(self, row: int, column: int) -> None:
        """Drop what no later cell needs; of the others keep the rows that reach below this row's cells."""
        self._held.pop((row - 1, column - 1), None)
        done = [column - 1]
        if column == self._grid.columns.count - 1:
            self._held.pop((row - 1, column), None)
            done.append(column)
        for each in done:
            piece = self._held.pop((row, each), None)
            if piece is not None and row < self._grid.rows.count - 1:
                self._held[row, each] = _below(piece, self._grid.rows.cell(row)[1])


def _below(piece: _Piece, row_px: int) -> _Piece:
    kept = slice(row_px - piece.top_px, None)
    # Copies: a view would keep the whole answer in memory.
    mask, probability = piece.mask[kept].copy(), piece.probability[kept].copy()
    return _Piece(piece.row, piece.column, row_px, piece.left_px, mask, probability)


def _part(piece: _Piece, grid: Grid, rows: tuple[int, int], columns: tuple[int, int]) -> _Part:
    in_cell_rows, in_piece_rows, row_weight = _meet(piece.top_px, piece.mask.shape[0], rows, grid.rows, piece.row)
    in_cell, in_piece, weight = _meet(piece.left_px, piece.mask.shape[1], columns, grid.columns, piece.column)
    return _Part(
        in_cell_rows,
        in_cell,
        piece.mask[in_piece_rows, in_piece],
        piece.probability[in_piece_rows, in_piece],
        row_weight[:, None] * weight,
    )


def _meet(start_px: int, length_px: int, cell: tuple[int, int], axis: Axis, index: int) -> tuple[slice, slice, Weights]:
    """The overlap of piece and cell, counted in the cell and in the piece, and the tile's weights there."""
    first, last = max(start_px, cell[0]), min(start_px + length_px, cell[1])
    tile_px = axis.tile(index)[0]
    weight = axis.weight(index)[first - tile_px : last - tile_px]
    return slice(first - cell[0], last - cell[0]), slice(first - start_px, last - start_px), weight


def _covers(parts: list[_Part], shape: tuple[int, ...]) -> bool:
    return len(parts) == 1 and parts[0].mask.shape == shape


def _join_binary(parts: list[_Part], shape: tuple[int, int]) -> tuple[Image, Image]:
    foreground, average = np.zeros(shape, np.float32), np.zeros(shape, np.float32)
    for part in parts:
        foreground[part.rows, part.columns] += part.weight * (part.mask > 0)
        average[part.rows, part.columns] += part.weight * part.probability
    agreed = (foreground < _ROUNDING) | (foreground > 1 - _ROUNDING)
    mask = np.where(agreed, foreground > _ROUNDING, average >= _HALF - _ROUNDING)
    return mask.astype(np.uint8), _to_byte(average)


def _join_votes(parts: list[_Part], shape: tuple[int, int]) -> tuple[Image, Image]:
    named = np.flatnonzero(sum(np.bincount(part.mask.ravel(), minlength=256) for part in parts))
    weighted = [part.weight * part.probability for part in parts]
    winner, most = np.full(shape, named[0], np.uint8), np.zeros(shape, np.float32)
    for index in named:
        votes = np.zeros(shape, np.float32)
        for part, weight in zip(parts, weighted, strict=True):
            votes[part.rows, part.columns] += np.where(part.mask == index, weight, 0)
        winner[votes > most] = index
        np.maximum(most, votes, out=most)
    return winner, _to_byte(most)


def _to_byte(values: npt.NDArray[np.float32]) -> Image:
    return np.rint(values).astype(np.uint8)
