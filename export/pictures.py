"""The labelled pictures that the parity gate compares on: those beside a model folder, or those of any data set.

A set of few pictures is compared in several orientations: quarter turns and mirror images give other pixels to every
layer, and the truth turns with them.
"""

import io
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np
import numpy.typing as npt
from PIL import Image

from export.errors import ExportError
from tasks import TaskSpec
from tasks.errors import ImageError
from tasks.held_out import FOLDER, judged_pixels, read_held_out
from tasks.imaging import decode
from tasks.processing import NetworkInput, preprocess
from training.held_out import choose_held_out
from training.samples import Sample
from training.sources import read_samples

Value = TypeVar("Value", np.uint8, np.bool_)

# So many, if orientations can make them.
ENOUGH = 32
_ORIENTATIONS = 8


@dataclass(frozen=True)
class Picture:
    """A picture as the network takes it, and what an expert says of it.

    Attributes:
        name: of the picture, and how it is turned.
        fitted: as serving fits it.
        truth, judged: as `tasks.held_out.HeldOut` has them.
    """

    name: str
    fitted: NetworkInput
    truth: npt.NDArray[np.uint8]
    judged: npt.NDArray[np.bool_]


def read_pictures(
    model: Path, root: Path | None, task: TaskSpec, seen: Collection[str] = (), enough: int = ENOUGH
) -> list[Picture]:
    """Return the pictures of the data set in `root`, a bounded number of them; without one the model folder's.

    Args:
        model: a model folder.
        root: of a labelled data set.
        task: of both.
        seen: first 16 digits of the digests of the pictures that the model was trained on; others are preferred.
        enough: fewer pictures are turned and mirrored until there are so many.

    Raises:
        ExportError: there are neither, or one cannot be used.
        training.errors.DataError: `root` is no data set of the task.
    """
    try:
        if root is not None:
            samples = read_samples(root, task)
            unseen = [sample for sample in samples if sample.digest[:16] not in seen]
            return _enough([_labelled(each, task) for each in choose_held_out(unseen or samples)], task, enough)
        if not (model / FOLDER).is_dir():
            raise ExportError(
                f"there are no held-out pictures beside {model} to compare on; name a labelled data set with pictures="
            )
        kept = [(each.name, each.image.read_bytes(), each.truth, each.judged) for each in read_held_out(model, task)]
        return _enough(kept, task, enough)
    except ImageError as error:
        raise ExportError(f"a picture to compare on cannot be used: {error}") from error


def of_sample(sample: Sample, task: TaskSpec) -> Picture:
    """Return a labelled sample as a picture to compare on.

    Raises:
        ImageError: its file cannot be used.
    """
    return _picture(*_labelled(sample, task), task)


_Labelled = tuple[str, bytes, npt.NDArray[np.uint8], npt.NDArray[np.bool_]]


def _labelled(sample: Sample, task: TaskSpec) -> _Labelled:
    labelled = sample.read()
    truth = np.array(sample.label, np.uint8) if labelled.mask is None else labelled.mask
    return sample.name, labelled.encoded, truth, judged_pixels(truth, labelled.field_of_view, task)


def _picture(
    name: str, encoded: bytes, truth: npt.NDArray[np.uint8], judged: npt.NDArray[np.bool_], task: TaskSpec
) -> Picture:
    return Picture(name, preprocess(encoded, task), truth, judged)


def _enough(found: Sequence[_Labelled], task: TaskSpec, enough: int) -> list[Picture]:
    turns = range(min(_ORIENTATIONS, -(-enough // max(1, len(found)))))
    return [_picture(*_oriented(each, turn, task), task) for turn in turns for each in found]


def _oriented(labelled: _Labelled, turn: int, task: TaskSpec) -> _Labelled:
    """Return it turned by quarters, and mirrored from the fourth on; 0 is as it was."""
    name, encoded, truth, judged = labelled
    if turn == 0:
        return labelled
    buffer = io.BytesIO()
    Image.fromarray(_turned(decode(encoded, task.limits), turn)).save(buffer, "PNG", compress_level=1)
    return f"{name}, turn {turn}", buffer.getvalue(), _turned(truth, turn), _turned(judged, turn)


def _turned(array: npt.NDArray[Value], turn: int) -> npt.NDArray[Value]:
    if array.ndim < 2:
        return array
    turned = np.rot90(array, turn % 4)
    return np.ascontiguousarray(turned[:, ::-1] if turn >= 4 else turned)
