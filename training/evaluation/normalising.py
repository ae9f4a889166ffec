"""What is left of a picture when the marks of its source are removed: colour cast, contrast, aspect and aperture.

Colour is matched per channel by mean and standard deviation, after Reinhard et al., "Color transfer between images",
IEEE Computer Graphics and Applications 21 (2001), in RGB and to one fixed target instead of another picture.
"""

from dataclasses import replace

import cv2
import numpy as np
import numpy.typing as npt

from tasks import TaskSpec
from tasks.imaging import decode, field_of_view
from training.samples import Labelled, Sample

# A retina of medium colour and contrast; what matters is that it is the same for every picture.
_TARGET_MEAN = (150.0, 85.0, 45.0)
_TARGET_STD = (38.0, 26.0, 18.0)
# The disc that is kept, as a share of half the picture's side: inside the apertures of all cameras of the set.
_RADIUS = 0.9
# A flat channel has no contrast to be stretched, only noise.
_SMALLEST_STD = 1.0


def normalised(sample: Sample, task: TaskSpec) -> Sample:
    """Return the sample as one whose picture is normalised when it is read, as a PNG; for classifications."""

    def read() -> Labelled:
        labelled = sample.read()
        picture = colour_and_framing(decode(labelled.encoded, task.limits), task.size_px)
        _, encoded = cv2.imencode(".png", cv2.cvtColor(picture, cv2.COLOR_RGB2BGR))
        return Labelled(encoded.tobytes(), ".png")

    return replace(sample, read=read)


def colour_and_framing(image: npt.NDArray[np.uint8], size_px: int) -> npt.NDArray[np.uint8]:
    """Return the retina as a disc of one size, one mean colour and one contrast on black.

    The bounding box of the field of view is stretched to a square, because sources squeezed their pictures differently.

    Args:
        image: uint8 (height, width, 3), RGB.
        size_px: side of the result.

    Returns:
        uint8 (size_px, size_px, 3), RGB.
    """
    view = field_of_view(image)
    rows, columns = np.flatnonzero(view.any(axis=1)), np.flatnonzero(view.any(axis=0))
    box = image[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    square = cv2.resize(box, (size_px, size_px), interpolation=cv2.INTER_AREA).astype(np.float64)
    inside = _disc(size_px)
    mean, std = square[inside].mean(axis=0), square[inside].std(axis=0)
    matched = (square - mean) / np.maximum(std, _SMALLEST_STD) * np.array(_TARGET_STD) + np.array(_TARGET_MEAN)
    return np.where(inside[:, :, None], np.clip(np.rint(matched), 0, 255), 0).astype(np.uint8)


def _disc(size_px: int) -> npt.NDArray[np.bool_]:
    offset = np.arange(size_px) - (size_px - 1) / 2
    return np.asarray(offset[:, None] ** 2 + offset[None, :] ** 2 <= (_RADIUS * size_px / 2) ** 2)
