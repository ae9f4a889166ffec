"""A prediction drawn over its picture, for people."""

from collections.abc import Sequence

import cv2
import numpy as np
import numpy.typing as npt

from tasks.errors import ShapeError
from tasks.spec import ClassInfo


def overlay(
    image: npt.NDArray[np.uint8], mask: npt.NDArray[np.uint8], classes: Sequence[ClassInfo], *, opacity: float = 0.6
) -> npt.NDArray[np.uint8]:
    """Return the picture with every class but the background tinted in its colour.

    Args:
        image: uint8 (height, width, 3), RGB.
        mask: uint8 (height, width), class indices.
        classes: by index; index 0 is the background and stays as it is.
        opacity: 0 (invisible) to 1 (covers the picture).

    Returns:
        uint8 (height, width, 3), RGB; a new array.

    Raises:
        ShapeError: picture and mask differ in size, or the mask names a class that is not there.
    """
    if image.shape[:2] != mask.shape:
        raise ShapeError(f"the mask has the shape {mask.shape} and the picture {image.shape[:2]}; they must be equal")
    if mask.size and int(mask.max()) >= len(classes):
        raise ShapeError(f"the mask names class {int(mask.max())} and there are {len(classes)}")
    colours = np.array([info.colour for info in classes], dtype=np.uint8)[mask]
    tinted = cv2.addWeighted(image, 1.0 - opacity, colours, opacity, 0.0)
    return np.where((mask > 0)[:, :, None], tinted, image).astype(np.uint8)
