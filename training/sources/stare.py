"""STARE (Hoover et al., IEEE Trans. Med. Imaging 19, 2000): retinal vessels; it publishes no field of view."""

from dataclasses import replace
from functools import partial
from pathlib import Path

from tasks import Kind, TaskSpec
from tasks.errors import ImageError
from tasks.imaging import decode, field_of_view
from training.errors import DataError
from training.samples import Labelled, Sample
from training.sources.layout import OnProgress, Reading, Source, counted
from training.sources.pictures import (
    PPM_SUFFIXES,
    SUFFIXES,
    digest_of,
    labelled,
    partner,
    pictures,
    read_binary_mask,
    stem_of,
    suffix_of,
)

_FOLDERS = (("stare-images", "labels-ah"), ("stare-images", "labels-vk"), ("images", "labels-ah"), ("images", "labels"))
_EXPECTS = "stare-images/im0001.ppm(.gz) and labels-ah/im0001.ah.ppm(.gz), or images/ and labels/"
_SUFFIXES = (*PPM_SUFFIXES, *SUFFIXES)
_LABEL_SUFFIXES = tuple(f"{grader}{suffix}" for grader in (".ah", ".vk", "") for suffix in _SUFFIXES)


def read(root: Path, task: TaskSpec, on_progress: OnProgress | None = None) -> Reading:
    """Return its samples; every picture is a person. Photographs that nobody has labelled are left out.

    The archive holds many more photographs than the 20 whose vessels A. Hoover or V. Kouznetsova drew.

    Raises:
        DataError: several labels for a picture, or no label at all.
    """
    found = _folders(root)
    if found is None:
        raise DataError(f"{root} holds no photographs of STARE beside their labels; it expects {_EXPECTS}")
    images, labels = (root / name for name in found)
    names = {path.name for path in labels.iterdir()}
    everything = pictures(images, _SUFFIXES)
    chosen = [image for image in everything if names & {f"{stem_of(image)}{suffix}" for suffix in _LABEL_SUFFIXES}]
    left_out = len(everything) - len(chosen)
    remarks = (f"{left_out} photographs without a label in {labels.name}/: left out",) if left_out else ()
    return Reading([_sample(image, labels, task) for image in counted(chosen, on_progress)], remarks)


def _sample(image: Path, labels: Path, task: TaskSpec) -> Sample:
    vessels = partner(labels, stem_of(image), image, _LABEL_SUFFIXES)
    return Sample(
        name=stem_of(image),
        subject=stem_of(image),
        digest=digest_of(image, vessels),
        read=partial(_read_labelled, image, vessels, task),
    )


def _read_labelled(image: Path, vessels: Path, task: TaskSpec) -> Labelled:
    """Return picture and vessels, and as field of view the one that serving finds: the publisher names none."""
    read = labelled(image, task.limits, read_binary_mask(vessels, task.limits))
    try:
        return replace(read, field_of_view=field_of_view(decode(read.encoded, task.limits)))
    except ImageError as error:
        raise DataError(f"picture {image} cannot be used: {error}") from error


def _folders(root: Path) -> tuple[str, str] | None:
    """The first pair of folders that is there and holds pictures of this set's formats."""
    for images, labels in _FOLDERS:
        if (root / labels).is_dir() and any(
            suffix_of(path) in _SUFFIXES for path in pictures(root / images, _SUFFIXES)
        ):
            return images, labels
    return None


STARE = Source(
    kind=Kind.BINARY_SEGMENTATION,
    expects=_EXPECTS,
    recognises=lambda root: _folders(root) is not None,
    read=read,
    licence="no explicit licence; research use",
)
