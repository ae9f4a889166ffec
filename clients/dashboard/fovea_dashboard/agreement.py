"""How far two answers for one picture agree, as figures."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from fovea_client import Classification, Segmentation

from fovea_dashboard.errors import PictureError


@dataclass(frozen=True, slots=True)
class Agreement:
    """What two segmentations of one picture share.

    Attributes:
        same: share of the pixels, 0 to 1, that have the same class in both.
        dice: by class but the first, 2·|A∩B| / (|A|+|B|) of its pixels (Dice 1945); 1 where neither has any.
        largest_difference: between the two probabilities of a pixel, 0 to 1.
    """

    same: float
    dice: Mapping[str, float]
    largest_difference: float


def agreement(first: Segmentation, second: Segmentation) -> Agreement:
    """The figures for two answers of one task; raises PictureError where their sizes differ."""
    if first.mask.shape != second.mask.shape:
        shapes = [f"{shape[1]}×{shape[0]} px" for shape in (first.mask.shape, second.mask.shape)]
        raise PictureError(f"The answers have {shapes[0]} and {shapes[1]}; they cannot be compared.")
    dice = {info.name: _dice(first.mask == info.index, second.mask == info.index) for info in first.classes[1:]}
    differences = np.abs(first.probability.astype(np.int16) - second.probability)
    return Agreement(float(np.mean(first.mask == second.mask)), dice, float(differences.max()) / 255)


def largest_difference(first: Classification, second: Classification) -> float:
    """The most that the probability of one class differs, 0 to 1; a class that one does not know counts as 0 there."""
    names = first.probability.keys() | second.probability.keys()
    return max(abs(first.probability.get(name, 0.0) - second.probability.get(name, 0.0)) for name in names)


def _dice(first: npt.NDArray[np.bool_], second: npt.NDArray[np.bool_]) -> float:
    both = int(first.sum()) + int(second.sum())
    return 2 * int((first & second).sum()) / both if both else 1.0
