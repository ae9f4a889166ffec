"""What a segmentation is to the caller, and how the server's answer is read into it."""

from dataclasses import dataclass, field

import numpy as np

from fovea_client.errors import ServerError
from fovea_client.png import Image
from fovea_client.requests import InferResult, Tensor
from fovea_client.task import ClassInfo, TaskInfo


@dataclass(frozen=True, slots=True, eq=False)
class Segmentation:
    """One image's answer, at the image's own size.

    Attributes:
        mask: uint8 HxW, each pixel's class index; read-only.
        probability: uint8 HxW, 0 to 255 for 0 to 1; read-only. Of the foreground where there are two classes, else of
            the class in the mask.
        task: the task that was asked.
        model_version: the version of the task's model that answered.
        classes: the classes, `classes[i]` for mask value i.
        elapsed_ms: milliseconds from sending the request to having its answer.
    """

    mask: Image = field(repr=False)
    probability: Image = field(repr=False)
    task: str
    model_version: str
    classes: tuple[ClassInfo, ...]
    elapsed_ms: float


def segmentation(task: TaskInfo, result: InferResult, *, elapsed_ms: float) -> Segmentation:
    """The answer of a task's model; raises ServerError when it is not two uint8 images of one size."""
    mask = _image(result, "mask", task.name)
    probability = _image(result, "probability", task.name)
    if mask.shape != probability.shape:
        shapes = f"mask {mask.shape}, probability {probability.shape}"
        raise ServerError(f"model {task.name!r}: outputs differ in size ({shapes})", model=task.name)
    return Segmentation(mask, probability, task.name, result.model_version, task.classes, elapsed_ms)


def _image(result: InferResult, name: str, task: str) -> Tensor:
    image = result.outputs.get(name)
    if image is None or image.dtype != np.uint8 or image.ndim != 2:
        found = "missing" if image is None else f"{image.dtype} of shape {image.shape}"
        raise ServerError(f"model {task!r}: output {name!r} is {found}, expected uint8 HxW", model=task)
    return image
