"""Fundus photographs that never were, with exact vessel masks.

The demo and the tests need labelled images on a machine that has none. The pictures follow retinal anatomy and a
fundus camera closely enough that what is learned on them carries over to real photographs; they replace no real data.

anatomy draws who is photographed, vessel_tree grows the vessels, vessel_raster and retina turn both into pixel
fields, fundus photographs them, and dataset lays the result out on disk. eye_disease changes such photographs as
diseases do; scenery draws land from above, which aerial lays out as the Dubai set and as LandCover.ai.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from training.synthetic.aerial import write_dubai_aerial, write_landcover_ai
from training.synthetic.dataset import write_dataset
from training.synthetic.eye_disease import write_eye_disease
from training.synthetic.fundus import Fundus, generate_fundus


@dataclass(frozen=True)
class Drawn:
    """A data set that can be drawn for a task.

    Attributes:
        write: `write(root, subjects=, seed=, size_px=, on_progress=)` returns `root`.
        subjects, size_px: what is drawn if nothing else is asked for.
        what: a subject, in the plural.
    """

    write: Callable[..., Path]
    subjects: int
    size_px: int
    what: str


DRAWN: dict[str, Drawn] = {
    "vessels": Drawn(write_dataset, 12, 640, "people, with two eyes each"),
    "eye_disease": Drawn(write_eye_disease, 48, 224, "patients, a quarter of them of each class"),
    "dubai_aerial": Drawn(write_dubai_aerial, 4, 512, "tile folders, with four pictures each"),
    "landcover_ai": Drawn(write_landcover_ai, 4, 1300, "orthophotos"),
}
"""By task."""

__all__ = [
    "DRAWN",
    "Drawn",
    "Fundus",
    "generate_fundus",
    "write_dataset",
    "write_dubai_aerial",
    "write_eye_disease",
    "write_landcover_ai",
]
