"""One labelled picture, wherever it is stored: what sources yield, splits divide and datasets read."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True)
class Labelled:
    """The content of a sample.

    Attributes:
        encoded: the picture as a file that `tasks.imaging.decode` reads: as published, or a lossless copy.
        suffix: of that file, with its dot.
        mask: uint8 (height, width), indices into `task.classes`; None for a classification.
        field_of_view: bool (height, width), as published; None if the set publishes none.
    """

    encoded: bytes
    suffix: str
    mask: npt.NDArray[np.uint8] | None = None
    field_of_view: npt.NDArray[np.bool_] | None = None


@dataclass(frozen=True)
class Sample:
    """What is known of a labelled picture before it is read.

    Attributes:
        name: unique in its data set; fit for a file name.
        subject: whose eye, which tile or which orthophoto: splits divide subjects and never pictures.
        digest: SHA-256 over the picture and its labels: equal content, equal digest, wherever it lies.
        read: reads the content. Raises DataError if that is not possible.
        label: class index of a classification; None for a segmentation.
        held_out: whether the publisher keeps it for testing; None if the set has no official split.
        fold: number of the fold that its subject belongs to; None until folds are assigned.
    """

    name: str
    subject: str
    digest: str
    read: Callable[[], Labelled]
    label: int | None = None
    held_out: bool | None = None
    fold: int | None = None
