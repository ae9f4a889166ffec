"""The held-out pictures of a model folder: what training judged offline, export compares on and serving is held to."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from tasks.errors import ImageError
from tasks.imaging import decode

FOLDER = "held_out"


@dataclass(frozen=True)
class HeldOut:
    """A picture that no training saw, and what an expert says of it.

    Attributes:
        name: of the picture.
        image: the encoded file as published.
        truth: bool (height, width), where the expert sees foreground.
        field_of_view: bool (height, width), as published; metrics count inside it.
    """

    name: str
    image: Path
    truth: npt.NDArray[np.bool_]
    field_of_view: npt.NDArray[np.bool_]


def read_held_out(model: Path) -> list[HeldOut]:
    """Return the held-out pictures of a model folder, sorted by name.

    Raises:
        ImageError: there are none, or one has not exactly one readable mask and field of view.
    """
    folder = model / FOLDER
    images = sorted((folder / "images").glob("*"))
    if not images:
        raise ImageError(f"there are no held-out pictures in {folder}; train again, they belong to the model folder")
    return [
        HeldOut(
            image.stem,
            image,
            read_mask(_beside(folder / "truth", image)),
            read_mask(_beside(folder / "field_of_view", image)),
        )
        for image in images
    ]


def read_mask(path: Path) -> npt.NDArray[np.bool_]:
    """Return a published mask as bool (height, width): brighter than half is set, whatever the file's palette.

    Raises:
        ImageError: the file is not a readable picture.
    """
    try:
        return np.asarray(decode(path.read_bytes())[:, :, 0] >= 128)
    except (ImageError, OSError) as error:
        raise ImageError(f"mask {path} cannot be read: {error}") from error


def _beside(folder: Path, image: Path) -> Path:
    found = list(folder.glob(f"{image.stem}.*"))
    if len(found) != 1:
        raise ImageError(f"held-out picture {image.name} needs one file in {folder} and has {len(found)}; train again")
    return found[0]
