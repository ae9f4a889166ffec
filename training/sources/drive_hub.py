"""DRIVE from Activeloop's hub: datasets of Deep Lake's third format, which version 4 reads only by a query.

The names of the columns were changed more than once, so they are looked for; the number of a picture is its place.
"""

import hashlib
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import numpy as np
import numpy.typing as npt

from tasks import Kind, TaskSpec
from training.errors import DataError
from training.samples import Labelled, Sample
from training.sources.layout import OnProgress, Reading, Source, counted
from training.sources.pictures import encode_png

HUB = "hub://activeloop"
_IMAGES = ("rgb_images", "images", "image")
_VESSELS = ("manual_masks/mask", "manual_masks", "manual_mask", "1st_manual")
_VIEWS = ("masks/mask", "masks", "mask")
# The official numbers: 21–40 are for training, 1–20 for testing.
_PARTS = {"training": ("drive-train", 21), "test": ("drive-test", 1)}


def read(root: Path, task: TaskSpec, on_progress: OnProgress | None = None) -> Reading:
    """Return the pictures of both parts; a part without manual masks is left out, as in the folder layout.

    Args:
        root: a folder with copies of `drive-train` and `drive-test`; the hub if it is no folder.
        task: its limits hold for the pictures.
        on_progress: told after each part.

    Raises:
        DataError: the hub cannot be reached, or a part has not the columns of the set.
    """
    del task
    place = str(root) if (root / "drive-train").is_dir() else HUB
    samples: list[Sample] = []
    remarks: list[str] = []
    for part, (name, first) in counted(list(_PARTS.items()), on_progress):
        found = _read_part(f"{place}/{name}", part, first)
        samples.extend(found)
        if not found:
            remarks.append(f"{place}/{name} has no manual masks: left out")
    return Reading(samples, tuple(remarks))


def _read_part(url: str, part: str, first: int) -> list[Sample]:
    from training import deeplake_store  # noqa: PLC0415 - reports to its maker when it is imported

    rows = deeplake_store.query(url)
    columns = deeplake_store.columns(rows)
    images, views = _column(columns, _IMAGES, url), _column(columns, _VIEWS, url)
    if not set(_VESSELS) & set(columns):
        return []
    vessels = _column(columns, _VESSELS, url)
    numbers = range(len(rows))
    return [_sample(part, first + at, *(rows[at][name] for name in (images, vessels, views))) for at in numbers]


def _column(columns: Sequence[str], names: tuple[str, ...], url: str) -> str:
    for name in names:
        if name in columns:
            return name
    raise DataError(
        f"{url} has none of the columns {', '.join(names)}, only {', '.join(columns)}; use the DRIVE folder"
    )


def _sample(
    part: str,
    number: int,
    image: npt.NDArray[np.uint8],
    vessels: npt.NDArray[np.generic],
    view: npt.NDArray[np.generic],
) -> Sample:
    mask, field_of_view = (_binary(plane) for plane in (vessels, view))
    pixels = np.ascontiguousarray(image[:, :, :3])
    digest = hashlib.sha256(pixels.tobytes() + mask.tobytes() + field_of_view.tobytes()).hexdigest()
    content = Labelled(encode_png(pixels), ".png", mask, field_of_view > 0)
    name = f"{number:02d}"
    return Sample(f"{name}_{part}", name, digest, partial(_content, content), held_out=part == "test")


def _content(content: Labelled) -> Labelled:
    """The set is small and the way to it long: it is kept in memory."""
    return content


def _binary(plane: npt.NDArray[np.generic]) -> npt.NDArray[np.uint8]:
    """uint8 (height, width), 0 or 1, of a mask that may be bool, 0 and 1 or 0 and 255, in one channel or several."""
    flat = plane if plane.ndim == 2 else plane[:, :, 0]
    brightest = 255 if int(flat.max(initial=0)) > 1 else 1
    return np.asarray(2 * flat.astype(np.int32) >= brightest, dtype=np.uint8)


DRIVE_HUB = Source(
    kind=Kind.BINARY_SEGMENTATION,
    expects="nothing on this machine: it is read from Activeloop's hub",
    recognises=lambda root: False,  # noqa: ARG005 - it has to be asked for: it goes over the network
    read=read,
    licence="research and education only, no redistribution",
)
