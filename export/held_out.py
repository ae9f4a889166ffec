"""The pictures that training held out, with their masks: what an artefact is measured on."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from export.errors import ExportError
from tasks import TaskSpec
from tasks.processing import NetworkInput, preprocess
from training.datasets import read_mask


@dataclass(frozen=True)
class HeldOut:
    """A held-out picture as the network takes it, and what the expert marked.

    Attributes:
        name: of the picture.
        fitted: the picture at the network's size, with its geometry.
        vessels: bool (height, width).
        field_of_view: bool (height, width), as published.
    """

    name: str
    fitted: NetworkInput
    vessels: npt.NDArray[np.bool_]
    field_of_view: npt.NDArray[np.bool_]


def read_held_out(folder: Path, task: TaskSpec) -> list[HeldOut]:
    """Return the pictures under `<model folder>/held_out`, sorted by name.

    Raises:
        ExportError: there are none; an artefact that was never compared is not placed.
    """
    images = sorted((folder / "images").glob("*"))
    if not images:
        raise ExportError(f"there are no held-out pictures in {folder}; train again, they belong to the model folder")
    return [
        HeldOut(
            image.stem,
            preprocess(image.read_bytes(), task),
            read_mask(_beside(folder / "vessels", image)),
            read_mask(_beside(folder / "field_of_view", image)),
        )
        for image in images
    ]


def _beside(folder: Path, image: Path) -> Path:
    found = list(folder.glob(f"{image.stem}.*"))
    if len(found) != 1:
        raise ExportError(
            f"held-out picture {image.name} needs one file in {folder} and has {len(found)}; train again"
        )
    return found[0]
