"""Which vessel holds which patch of the retina, so that growing vessels keep their distance."""

from typing import Literal

import numpy as np

from training.synthetic.anatomy import View

Kind = Literal["artery", "vein"]
KINDS: tuple[Kind, Kind] = ("artery", "vein")
CELL_DEG = 0.4
MARGIN_DEG = 12.0
"""How far the map reaches beyond the field of view; nothing is remembered further out."""


class Territory:
    """A coarse map of the retina for each kind of vessel; points are degrees from the optic disc, x first."""

    def __init__(self, view: View) -> None:
        reach_deg = view.radius_deg + MARGIN_DEG
        self._origin_deg = (view.centre_deg[0] - reach_deg, view.centre_deg[1] - reach_deg)
        cells = int(2 * reach_deg / CELL_DEG) + 1
        self._labels = {kind: np.zeros((cells, cells), np.int32) for kind in KINDS}

    def claim(self, kind: Kind, x_deg: float, y_deg: float, label: int) -> None:
        """Mark the cell at a point as held by vessel `label`, a positive number."""
        row, column = self._cell(x_deg, y_deg)
        self._labels[kind][row : row + 1, column : column + 1] = label

    def holder(self, kind: Kind, x_deg: float, y_deg: float) -> int:
        """The label of the vessel of `kind` at a point, 0 where there is none."""
        row, column = self._cell(x_deg, y_deg)
        held = self._labels[kind][row : row + 1, column : column + 1]
        return int(held[0, 0]) if held.size else 0

    def crowding(self, x_deg: float, y_deg: float, reach_deg: float) -> int:
        """How many cells within a square of `reach_deg` about a point are held, by vessels of either kind."""
        row, column = self._cell(x_deg, y_deg)
        reach = max(int(reach_deg / CELL_DEG), 1)
        window = np.s_[max(row - reach, 0) : row + reach + 1, max(column - reach, 0) : column + reach + 1]
        return sum(int(np.count_nonzero(labels[window])) for labels in self._labels.values())

    def _cell(self, x_deg: float, y_deg: float) -> tuple[int, int]:
        column = int((x_deg - self._origin_deg[0]) / CELL_DEG)
        return max(int((y_deg - self._origin_deg[1]) / CELL_DEG), 0), max(column, 0)
