"""What a run's figures look like: curves, a confusion matrix and some pictures, kept with the model."""

from collections.abc import Sequence
from pathlib import Path

from PIL import Image

from tasks import Kind, TaskSpec
from training.evaluation import Evaluated, Judgement
from training.evaluation.pictures import mistakes_sheet, panel
from training.evaluation.plots import draw_plots

PLOTS = "plots"
_PANELS = 3
_MISTAKES = 8


class Gallery:
    """Collects pictures while they are judged: first ones of a segmentation, first mistakes of a classification.

    Args:
        task: of the pictures.
    """

    def __init__(self, task: TaskSpec) -> None:
        self.task = task
        self._items: list[Evaluated] = []

    def add(self, item: Evaluated) -> None:
        """Consider a judged picture."""
        if self.task.kind is Kind.CLASSIFICATION:
            wanted = len(self._items) < _MISTAKES and item.tally.label != item.tally.truth
        else:
            wanted = len(self._items) < _PANELS
        if wanted:
            self._items.append(item)

    def save(self, judged: Sequence[Judgement], folder: Path) -> None:
        """Write curves, confusion matrix and the collected pictures; `judged` are all pictures."""
        folder.mkdir(parents=True, exist_ok=True)
        draw_plots(judged, self.task, folder)
        if self.task.kind is not Kind.CLASSIFICATION:
            for item in self._items:
                Image.fromarray(panel(item, self.task)).save(folder / f"overlay_{item.sample.name}.jpg", quality=85)
        elif self._items:
            Image.fromarray(mistakes_sheet(self._items, self.task)).save(folder / "mistakes.jpg", quality=85)
