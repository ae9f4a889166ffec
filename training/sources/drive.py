"""DRIVE (Staal et al., IEEE Trans. Med. Imaging 23, 2004): retinal vessels, with an official test part."""

from functools import partial
from pathlib import Path

from tasks import Kind, TaskSpec
from training.samples import Sample
from training.sources.chase_db1 import read_vessels
from training.sources.layout import OnProgress, Reading, Source, counted
from training.sources.pictures import digest_of, partner, pictures


def read(root: Path, task: TaskSpec, on_progress: OnProgress | None = None) -> Reading:
    """Return its samples. Pictures are named <number>_training or <number>_test; a number is a person.

    Some copies of the set withhold the test part's masks: then people of the training part are held out instead.

    Raises:
        DataError: a picture without exactly one manual mask and one field of view.
    """
    parts = [root / name for name in ("training", "test")]
    readable = [part for part in parts if (part / "1st_manual").is_dir()]
    images = [image for part in readable for image in pictures(part / "images")]
    remarks = [f"{part} has no 1st_manual folder: left out" for part in parts if part.is_dir() and part not in readable]
    return Reading([_sample(image, task) for image in counted(images, on_progress)], tuple(remarks))


def _sample(image: Path, task: TaskSpec) -> Sample:
    part, number = image.parent.parent, image.stem.partition("_")[0]
    vessels = partner(part / "1st_manual", f"{number}_manual1", image)
    view = partner(part / "mask", f"{image.stem}_mask", image)
    return Sample(
        name=image.stem,
        subject=number,
        digest=digest_of(image, vessels, view),
        read=partial(read_vessels, image, vessels, view, task),
        held_out=part.name == "test",
    )


DRIVE = Source(
    kind=Kind.BINARY_SEGMENTATION,
    expects="training/ and test/ with images/21_training.tif, 1st_manual/21_manual1.gif, mask/21_training_mask.gif",
    recognises=lambda root: (root / "training" / "images").is_dir(),
    read=read,
    licence="research and education only, no redistribution",
)
