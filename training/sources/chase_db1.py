"""CHASE_DB1 (Fraz et al., IEEE Trans. Biomed. Eng. 59, 2012): retinal vessels of both eyes of children."""

from functools import partial
from pathlib import Path

from tasks import Kind, TaskSpec
from training.samples import Labelled, Sample
from training.sources.layout import OnProgress, Reading, Source, counted
from training.sources.pictures import digest_of, labelled, partner, pictures, read_binary_mask


def read(root: Path, task: TaskSpec, on_progress: OnProgress | None = None) -> Reading:
    """Return its samples. Pictures are named Image_<subject><eye>: 01L and 01R are one person.

    Raises:
        DataError: a picture without exactly one manual mask and one field of view.
    """
    return Reading([_sample(root, image, task) for image in counted(pictures(root / "images"), on_progress)])


def _sample(root: Path, image: Path, task: TaskSpec) -> Sample:
    vessels = partner(root / "1st_manual", f"{image.stem}_1stHO", image)
    view = partner(root / "mask", image.stem, image)
    return Sample(
        name=image.stem,
        subject=image.stem.removeprefix("Image_").rstrip("LR"),
        digest=digest_of(image, vessels, view),
        read=partial(read_vessels, image, vessels, view, task),
    )


def read_vessels(image: Path, vessels: Path, view: Path, task: TaskSpec) -> Labelled:
    """Return a fundus photograph with its vessels and its published field of view.

    Raises:
        DataError: a file is not readable, or their sizes differ.
    """
    mask, field_of_view = (read_binary_mask(path, task.limits) for path in (vessels, view))
    return labelled(image, task.limits, mask, field_of_view > 0)


CHASE_DB1 = Source(
    kind=Kind.BINARY_SEGMENTATION,
    expects="images/Image_01L.jpg, 1st_manual/Image_01L_1stHO.png, mask/Image_01L.gif",
    recognises=lambda root: (root / "images").is_dir() and (root / "1st_manual").is_dir(),
    read=read,
    licence="CC BY 4.0",
)
