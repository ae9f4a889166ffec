"""What surrounds the network, once: Triton's pre- and post-processing models and training's evaluation call these."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tasks.errors import ShapeError
from tasks.imaging import Geometry, decode, field_of_view, fit, square_around, unfit
from tasks.spec import FieldOfView, TaskSpec


@dataclass(frozen=True)
class NetworkInput:
    """A picture as the network takes it, and what is needed to bring the answer back.

    Attributes:
        pixels: uint8 (size_px, size_px, 3), RGB.
        field_of_view: uint8 (size_px, size_px); 1 where a prediction may be, else 0.
        geometry: where the square lies in the picture.
    """

    pixels: npt.NDArray[np.uint8]
    field_of_view: npt.NDArray[np.uint8]
    geometry: Geometry


@dataclass(frozen=True)
class Prediction:
    """A segmentation at the picture's own size.

    Attributes:
        mask: uint8 (height, width), class indices.
        probability: uint8 (height, width); 0–255 stands for 0–1; of the foreground, or of the class in the mask.
    """

    mask: npt.NDArray[np.uint8]
    probability: npt.NDArray[np.uint8]


@dataclass(frozen=True)
class Classification:
    """The class of a picture.

    Attributes:
        label: class index of the largest probability.
        probability: float32 (classes,), sums to 1.
    """

    label: int
    probability: npt.NDArray[np.float32]


def preprocess(data: bytes, task: TaskSpec) -> NetworkInput:
    """Decode a picture and fit its field of view to the network's size.

    Raises:
        ImageError: the bytes are not a usable picture.
    """
    image = decode(data, task.limits)
    return prepare(image, task)


def prepare(image: npt.NDArray[np.uint8], task: TaskSpec) -> NetworkInput:
    """Fit a decoded picture, uint8 (height, width, 3), to the network's size."""
    if task.field_of_view is FieldOfView.FUNDUS:
        view = field_of_view(image)
    else:
        view = np.ones(image.shape[:2], dtype=np.bool_)
    geometry = square_around(view)
    # Scaled as 0 or 255, so that a rim pixel counts if it is at least half covered.
    fitted_view = fit(view.astype(np.uint8) * np.uint8(255), geometry, task.size_px) >= 128
    return NetworkInput(fit(image, geometry, task.size_px), fitted_view.astype(np.uint8), geometry)


def postprocess(
    probability: npt.NDArray[np.uint8], view: npt.NDArray[np.uint8], geometry: Geometry, task: TaskSpec
) -> Prediction:
    """Bring a binary segmentation back to the picture's own size; nothing is predicted outside the field of view.

    Args:
        probability: uint8 (size_px, size_px), 0–255, of the foreground.
        view: uint8 (size_px, size_px), `NetworkInput.field_of_view`.
        geometry: `NetworkInput.geometry`.
        task: its threshold decides what is foreground.

    Raises:
        ShapeError: the two planes differ in shape, or the geometry is not one that `prepare` makes.
    """
    _check_planes(geometry, task, probability, view)
    restored = unfit(np.where(view > 0, probability, 0).astype(np.uint8), geometry)
    mask = restored >= np.ceil(task.threshold * 255)
    return Prediction(mask.astype(np.uint8), restored)


def postprocess_classes(
    classes: npt.NDArray[np.uint8],
    probability: npt.NDArray[np.uint8],
    view: npt.NDArray[np.uint8],
    geometry: Geometry,
    task: TaskSpec,
) -> Prediction:
    """Bring a semantic segmentation back to the picture's own size.

    Args:
        classes: uint8 (size_px, size_px), indices into `task.classes`.
        probability: uint8 (size_px, size_px), 0–255, of the class that `classes` names.
        view, geometry, task: as for `postprocess`.

    Raises:
        ShapeError: planes of different shapes, an index of no class, or a geometry that `prepare` does not make.
    """
    _check_planes(geometry, task, classes, probability, view)
    if int(classes.max(initial=0)) >= len(task.classes):
        raise ShapeError(f"the network names class {int(classes.max())} and {task.name} has {len(task.classes)}")
    inside = view > 0
    mask = unfit(np.where(inside, classes, 0).astype(np.uint8), geometry, nearest=True)
    return Prediction(mask, unfit(np.where(inside, probability, 0).astype(np.uint8), geometry))


def postprocess_label(probability: npt.NDArray[np.float32], task: TaskSpec) -> Classification:
    """Return the class of the largest probability; float32 (classes,) in, the first of equals wins.

    Raises:
        ShapeError: not one probability a class, or one that is no number.
    """
    if probability.shape != (len(task.classes),):
        raise ShapeError(f"{task.name} has {len(task.classes)} classes and the network answers {probability.shape}")
    if not np.isfinite(probability).all():
        raise ShapeError(f"the network's probabilities are no numbers: {probability.tolist()}")
    return Classification(int(probability.argmax()), probability)


def _check_planes(geometry: Geometry, task: TaskSpec, *planes: npt.NDArray[np.uint8]) -> None:
    _check_geometry(geometry, task)
    if len({plane.shape for plane in planes}) != 1:
        raise ShapeError(f"the network's planes differ in shape: {', '.join(str(plane.shape) for plane in planes)}")


def _check_geometry(geometry: Geometry, task: TaskSpec) -> None:
    """Refuse sizes that would ask for any amount of memory: the model that calls this is open to everyone."""
    height_px, width_px, side_px = geometry.height_px, geometry.width_px, geometry.side_px
    possible = height_px * width_px <= task.limits.max_pixels
    possible &= side_px <= max(height_px, width_px) <= task.limits.max_side_px
    possible &= abs(geometry.top_px) <= height_px + side_px and abs(geometry.left_px) <= width_px + side_px
    if not possible:
        raise ShapeError(f"{geometry} is not the geometry of a picture within {task.limits}")
