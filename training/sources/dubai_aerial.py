"""Aerial pictures of Dubai (Humans in the Loop and MBRSC, 2020): masks whose colours name the class."""

from functools import partial
from pathlib import Path

import numpy as np
import numpy.typing as npt

from tasks import Kind, TaskSpec
from training.errors import DataError
from training.samples import Labelled, Sample
from training.sources.layout import OnProgress, Reading, Source, counted
from training.sources.pictures import digest_of, labelled, partner, pictures, read_pixels

_BLACK = 0
_UNKNOWN = 255


def read(root: Path, task: TaskSpec, on_progress: OnProgress | None = None) -> Reading:
    """Return its samples. The pictures of a tile folder are neighbours on the ground: the folder is the subject.

    Raises:
        DataError: a picture without exactly one mask, as in a tile whose folder of masks is missing.
    """
    images = [image for tile in _tiles(root) for image in pictures(tile / "images")]
    return Reading([_sample(image, task) for image in counted(images, on_progress)])


def _sample(image: Path, task: TaskSpec) -> Sample:
    tile = image.parent.parent
    mask = partner(tile / "masks", image.stem, image)
    return Sample(
        name=f"{tile.name.replace(' ', '_')}_{image.stem}",
        subject=tile.name,
        digest=digest_of(image, mask),
        read=partial(_read_labelled, image, mask, task),
    )


def _read_labelled(image: Path, mask: Path, task: TaskSpec) -> Labelled:
    return labelled(image, task.limits, classes_of_colours(read_pixels(mask, task.limits), task, mask))


def classes_of_colours(colours: npt.NDArray[np.uint8], task: TaskSpec, path: Path) -> npt.NDArray[np.uint8]:
    """Return uint8 (height, width), class indices, of a mask uint8 (height, width, 3) in the colours of the classes.

    Pure black has no class: it is index 0, as `unlabeled` is.

    Raises:
        DataError: a colour that is no class's; the message names it and the file.
    """
    packed = _packed(colours)
    index_of = {_BLACK: 0} | {int(_packed(np.array(info.colour))): index for index, info in enumerate(task.classes)}
    values, inverse, count = np.unique(packed, return_inverse=True, return_counts=True)
    indices = np.array([index_of.get(int(value), _UNKNOWN) for value in values], dtype=np.uint8)
    if _UNKNOWN in indices:
        unknown = indices == _UNKNOWN
        raise DataError(
            f"mask {path} has the colour #{int(values[unknown][0]):06X} ({int(count[unknown].sum()):,} pixels are of "
            f"no known colour); repaint it, {task.name} has {', '.join(f'#{value:06X}' for value in sorted(index_of))}"
        )
    return np.asarray(indices[inverse.reshape(packed.shape)])


def _packed(colours: npt.NDArray[np.generic]) -> npt.NDArray[np.int32]:
    """0xRRGGBB of each pixel: one number is faster to look up than three."""
    red, green, blue = np.moveaxis(colours.astype(np.int32), -1, 0)
    return np.asarray(red << 16 | green << 8 | blue, dtype=np.int32)


def _tiles(root: Path) -> list[Path]:
    return sorted(path for path in root.iterdir() if (path / "images").is_dir())


DUBAI_AERIAL = Source(
    kind=Kind.SEMANTIC_SEGMENTATION,
    expects="'Tile 1'/images/image_part_001.jpg and 'Tile 1'/masks/image_part_001.png, 'Tile 2'/ …",
    recognises=lambda root: any((tile / "masks").is_dir() for tile in _tiles(root)),
    read=read,
    licence="CC0 1.0",
)
