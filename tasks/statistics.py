"""Figures of one picture and of one prediction: what is watched for drift.

The server publishes them and reference profiles are made of them, so both call these functions. They run on every
request: means are taken over a fixed grid of the pixels and sharpness over fixed bands of rows, never at random.
"""

import math
from functools import cache

import cv2
import numpy as np
import numpy.typing as npt

from tasks.spec import Kind, TaskSpec

INPUT_STATISTICS = ("width_px", "height_px", "brightness", "sharpness", "saturation", "red", "green", "blue")

_GRID_PX = 4  # means of a picture: every fourth pixel each way
_PLANE_GRID_PX = 2  # predictions: vessels are a few pixels wide
_BAND_ROWS, _BAND_STEP_ROWS = 32, 128
_FLATTEST = 1e-2  # the variance that a picture without any detail counts as

Plane = npt.NDArray[np.uint8]


def input_statistics(
    pixels: Plane, field_of_view: npt.NDArray[np.bool_] | Plane, width_px: int, height_px: int
) -> dict[str, float]:
    """Return `INPUT_STATISTICS` by name.

    Brightness is the mean luma (ITU-R BT.601), saturation the mean of HSV's S, red, green and blue the channels'
    means: all 0–1, inside the field of view. Sharpness is log10 of the variance of the luma's Laplacian inside it
    (Pech-Pacheco et al., Diatom autofocusing in brightfield microscopy, ICPR 2000), -2 for a picture without detail.

    Args:
        pixels: uint8 (height, width, 3), RGB: the picture as fitted to the network's size.
        field_of_view: bool or 0 and 1, (height, width); one that is empty counts as full.
        width_px, height_px: of the picture as it came.
    """
    view = _as_mask(field_of_view)
    sampled, inside = _every(pixels, _GRID_PX), _every(view, _GRID_PX)
    red, green, blue, _ = (value / 255 for value in cv2.mean(sampled, inside))
    saturation = cv2.mean(cv2.cvtColor(sampled, cv2.COLOR_RGB2HSV), inside)[1] / 255
    return {
        "width_px": float(width_px),
        "height_px": float(height_px),
        "brightness": 0.299 * red + 0.587 * green + 0.114 * blue,
        "sharpness": math.log10(max(_laplacian_variance(pixels, view), _FLATTEST)),
        "saturation": saturation,
        "red": red,
        "green": green,
        "blue": blue,
    }


def prediction_statistics(
    probability: Plane | npt.NDArray[np.float32],
    classes: Plane | None,
    task: TaskSpec,
    field_of_view: npt.NDArray[np.bool_] | Plane | None,
) -> dict[str, float]:
    """Return `confidence`, `entropy` and, of a segmentation, `share_<class>`; each 0–1, names in a fixed order.

    Confidence is the mean probability of the likeliest class. Entropy is Shannon's, divided by that of a uniform
    guess; of a semantic segmentation only the likeliest class's probability is known, and the rest counts as spread
    evenly (the largest entropy it can have: the right-hand side of Fano's inequality). A binary segmentation has the
    share of its foreground, a semantic one of each class that is predicted.

    Args:
        probability: uint8 (height, width), 0–255: of the foreground, or of the class that `classes` names;
            of a classification float32 (classes,).
        classes: uint8 (height, width), class indices of a semantic segmentation; not read for other kinds.
        task: says which kind it is.
        field_of_view: bool or 0 and 1, (height, width); empty counts as full; not read for a classification.
    """
    if task.kind is Kind.CLASSIFICATION:
        return _of_distribution(np.asarray(probability, np.float64))
    sampled = _every(probability.astype(np.uint8, copy=False), _PLANE_GRID_PX)
    inside = np.ones_like(sampled) if field_of_view is None else _every(_as_mask(field_of_view), _PLANE_GRID_PX)
    counts = _histogram(sampled, inside)
    statistics = {name: float(counts @ table) for name, table in _tables(task).items()}
    if task.kind is Kind.BINARY_SEGMENTATION:
        shares = {task.classes[1].name: counts[math.ceil(task.threshold * 255) :].sum()}
    else:
        found = _histogram(_every(classes, _PLANE_GRID_PX), inside) if classes is not None else np.zeros(256)
        shares = {info.name: found[task.classes.index(info)] for info in task.predicted}
    return statistics | {f"share_{name}": float(share) for name, share in shares.items()}


def prediction_names(task: TaskSpec) -> tuple[str, ...]:
    """Return the names that `prediction_statistics` gives for the task, in its order."""
    if task.kind is Kind.CLASSIFICATION:
        return ("confidence", "entropy")
    named = task.classes[1:] if task.kind is Kind.BINARY_SEGMENTATION else task.predicted
    return ("confidence", "entropy", *(f"share_{info.name}" for info in named))


def _as_mask(view: npt.NDArray[np.bool_] | Plane) -> Plane:
    mask = view.astype(np.uint8, copy=False)
    return mask if mask.any() else np.ones_like(mask)


def _every(array: Plane, step_px: int) -> Plane:
    """Return every so manieth pixel each way; OpenCV does it fifteen times faster than a strided copy."""
    height_px, width_px = array.shape[:2]
    size = (max(width_px // step_px, 1), max(height_px // step_px, 1))
    return np.asarray(cv2.resize(array, size, interpolation=cv2.INTER_NEAREST), np.uint8)


def _laplacian_variance(pixels: Plane, view: Plane) -> float:
    """Return the variance over bands of rows, without the rim: an edge of the camera's, not of what it shows."""
    moments = np.zeros(3)
    first = min((_BAND_STEP_ROWS - _BAND_ROWS) // 2, max(len(pixels) - _BAND_ROWS, 0) // 2)
    for top in range(first, len(pixels), _BAND_STEP_ROWS):
        band = slice(top, top + _BAND_ROWS)
        edges = cv2.Laplacian(cv2.cvtColor(pixels[band], cv2.COLOR_RGB2GRAY), cv2.CV_32F)
        inside = np.asarray(cv2.erode(view[band], np.ones((3, 3), np.uint8)), np.uint8)
        inside[[0, -1]] = inside[:, [0, -1]] = 0  # these have no neighbours on one side
        mean, deviation = (float(value.item()) for value in cv2.meanStdDev(edges, mask=inside))
        moments += cv2.countNonZero(inside) * np.array([1, mean, deviation**2 + mean**2])
    count, total, squares = moments
    return float(squares / count - (total / count) ** 2) if count else 0.0


def _histogram(plane: Plane, inside: Plane) -> npt.NDArray[np.float64]:
    """Return the share of each value 0–255 inside the mask, float64 (256,)."""
    counts = cv2.calcHist([plane], [0], inside, [256], [0, 256])[:, 0].astype(np.float64)
    return np.asarray(counts / max(counts.sum(), 1.0))


@cache
def _tables(task: TaskSpec) -> dict[str, npt.NDArray[np.float64]]:
    """Return confidence and entropy of each of the 256 probabilities a byte can say."""
    probability = np.arange(256) / 255
    wrong = _surprise(probability) + _surprise(1 - probability)
    if task.kind is Kind.BINARY_SEGMENTATION:
        return {"confidence": np.maximum(probability, 1 - probability), "entropy": wrong / math.log(2)}
    others = max(task.outputs - 1, 1)
    # The likeliest of n classes has 1/n at least; a byte below that is rounding.
    entropy = (wrong + (1 - probability) * math.log(others)) / math.log(others + 1)
    return {"confidence": probability, "entropy": np.minimum(entropy, 1.0)}


def _of_distribution(probability: npt.NDArray[np.float64]) -> dict[str, float]:
    entropy = float(_surprise(probability).sum()) / math.log(max(len(probability), 2))
    return {"confidence": float(probability.max()), "entropy": min(max(entropy, 0.0), 1.0)}


def _surprise(probability: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    return np.asarray(-probability * np.log(np.where(probability > 0, probability, 1.0)))
