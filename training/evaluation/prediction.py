"""One picture's answer: the eager network between serving's own pre- and post-processing."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch

from tasks import Kind, TaskSpec
from tasks.imaging import unfit
from tasks.processing import (
    Classification,
    NetworkInput,
    Prediction,
    postprocess,
    postprocess_classes,
    postprocess_label,
    preprocess,
)
from training.serving_module import ServingModule, to_byte

# Axes of (batch, height, width, …) that are mirrored: the picture itself, left-right, up-down and both.
_MIRRORS: tuple[tuple[int, ...], ...] = ((), (2,), (1,), (1, 2))


@dataclass(frozen=True)
class Answer:
    """What is served, and what only judging needs.

    Attributes:
        prediction: as it is served.
        scores: semantic segmentation: uint8 (predicted classes, height, width), 0–255 stands for each class's
            probability of 0–1; None otherwise.
    """

    prediction: Prediction | Classification
    scores: npt.NDArray[np.uint8] | None = None


def predict(module: ServingModule, data: bytes, task: TaskSpec, *, tta: bool = False) -> Prediction | Classification:
    """Return the prediction for an encoded picture.

    Args:
        module: in evaluation mode.
        data: the encoded file.
        task: what the module was built for.
        tta: whether probabilities are averaged over the picture and its three mirror images (test-time augmentation).

    Raises:
        ImageError: the bytes are not a usable picture.
    """
    return answer(module, data, task, tta=tta).prediction


def answer(module: ServingModule, data: bytes, task: TaskSpec, *, tta: bool = False) -> Answer:
    """Return the prediction for an encoded picture with what judging needs; as `predict` otherwise."""
    fitted = preprocess(data, task)
    with torch.inference_mode():
        probability = _probability(module, fitted.pixels, tta=tta)
        served = module.serve(probability)
    if isinstance(served, tuple):
        classes, highest = (plane[0].cpu().numpy() for plane in served)
        prediction = postprocess_classes(classes, highest, fitted.field_of_view, fitted.geometry, task)
        return Answer(prediction, _restored(to_byte(probability)[0].cpu().numpy(), fitted))
    values = served[0].cpu().numpy()
    if task.kind is Kind.CLASSIFICATION:
        return Answer(postprocess_label(values, task))
    return Answer(postprocess(values, fitted.field_of_view, fitted.geometry, task))


def _probability(module: ServingModule, pixels: npt.NDArray[np.uint8], *, tta: bool) -> torch.Tensor:
    device = next((parameter.device for parameter in module.parameters()), torch.device("cpu"))
    image = torch.from_numpy(pixels)[None].to(device)
    mirrors = _MIRRORS if tta else _MIRRORS[:1]
    # One after the other: four pictures at once take four times the memory and no less time.
    return torch.stack([_mirrored_back(module, image, axes) for axes in mirrors]).mean(dim=0)


def _mirrored_back(module: ServingModule, image: torch.Tensor, axes: tuple[int, ...]) -> torch.Tensor:
    probability = module.probability(image.flip(axes))
    # Height and width come last in a plane of probabilities and in the middle in a picture.
    is_plane = probability.ndim > 2
    return probability.flip([axis - 3 for axis in axes]) if is_plane else probability


def _restored(planes: npt.NDArray[np.uint8], fitted: NetworkInput) -> npt.NDArray[np.uint8]:
    return np.stack([unfit(plane, fitted.geometry) for plane in planes])
