"""The labelled pictures that the parity gate compares on: those beside a model folder, or those of any data set."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from export.errors import ExportError
from tasks import TaskSpec
from tasks.errors import ImageError
from tasks.held_out import FOLDER, judged_pixels, read_held_out
from tasks.processing import NetworkInput, preprocess
from training.held_out import choose_held_out
from training.samples import Sample
from training.sources import read_samples


@dataclass(frozen=True)
class Picture:
    """A picture as the network takes it, and what an expert says of it.

    Attributes:
        fitted: as serving fits it.
        truth, judged: as `tasks.held_out.HeldOut` has them.
    """

    fitted: NetworkInput
    truth: npt.NDArray[np.uint8]
    judged: npt.NDArray[np.bool_]


def read_pictures(model: Path, root: Path | None, task: TaskSpec) -> list[Picture]:
    """Return the pictures of the data set in `root`, a bounded number of them; without one the model folder's.

    Raises:
        ExportError: there are neither, or one cannot be used.
        training.errors.DataError: `root` is no data set of the task.
    """
    try:
        if root is not None:
            return [of_sample(sample, task) for sample in choose_held_out(read_samples(root, task))]
        if not (model / FOLDER).is_dir():
            raise ExportError(
                f"there are no held-out pictures beside {model} to compare on; name a labelled data set with pictures="
            )
        return [
            Picture(preprocess(picture.image.read_bytes(), task), picture.truth, picture.judged)
            for picture in read_held_out(model, task)
        ]
    except ImageError as error:
        raise ExportError(f"a picture to compare on cannot be used: {error}") from error


def of_sample(sample: Sample, task: TaskSpec) -> Picture:
    """Return a labelled sample as a picture to compare on.

    Raises:
        ImageError: its file cannot be used.
    """
    labelled = sample.read()
    truth = np.array(sample.label, np.uint8) if labelled.mask is None else labelled.mask
    return Picture(preprocess(labelled.encoded, task), truth, judged_pixels(truth, labelled.field_of_view, task))
