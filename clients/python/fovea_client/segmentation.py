"""What a segmentation is to the caller, and how the server's own words are read into it.

The client carries no list of tasks: names, colours and limits are parameters of the task's config.pbtxt.
"""

import json
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from fovea_client.errors import InvalidRequestError, ServerError
from fovea_client.png import Image
from fovea_client.transport import InferResult, ModelConfig, Tensor


@dataclass(frozen=True, slots=True)
class ClassInfo:
    """One class: the value it has in a mask, its name and the RGB colour, 0 to 255, that it is drawn in."""

    index: int
    name: str
    colour: tuple[int, int, int]


@dataclass(frozen=True, slots=True)
class TaskInfo:
    """What the server says of a task: its classes in mask order and the largest file it takes, None for any."""

    name: str
    classes: tuple[ClassInfo, ...]
    max_image_bytes: int | None


@dataclass(frozen=True, slots=True, eq=False)
class Segmentation:
    """One image's answer, at the image's own size.

    Attributes:
        mask: uint8 HxW, each pixel's class index; read-only.
        probability: uint8 HxW, 0 to 255 for 0 to 1; read-only.
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


def task_info(config: ModelConfig) -> TaskInfo:
    """The task that a model's configuration describes.

    Raises:
        InvalidRequestError: the model is no segmentation task: it names no classes.
        ServerError: its parameters cannot be read.
    """
    parameters = config.parameters
    if "classes" not in parameters:
        raise InvalidRequestError(
            f"model {config.name!r} is no task: its config.pbtxt has no parameter 'classes'; "
            "ask for a task's own model, such as 'vessels', or use infer()",
            model=config.name,
        )
    try:
        classes = tuple(_class_info(i, entry) for i, entry in enumerate(json.loads(parameters["classes"])))
        limit = parameters.get("max_image_bytes")
        return TaskInfo(config.name, classes, None if limit is None else int(limit))
    except (ValueError, TypeError, KeyError) as error:
        message = f"model {config.name!r}: its parameters cannot be read ({error!r}); correct its config.pbtxt"
        raise ServerError(message, model=config.name) from error


def segmentation(task: TaskInfo, result: InferResult, *, elapsed_ms: float) -> Segmentation:
    """The answer of a task's model; raises ServerError when it is not two uint8 images of one size."""
    mask = _image(result, "mask", task.name)
    probability = _image(result, "probability", task.name)
    if mask.shape != probability.shape:
        shapes = f"mask {mask.shape}, probability {probability.shape}"
        raise ServerError(f"model {task.name!r}: outputs differ in size ({shapes})", model=task.name)
    return Segmentation(mask, probability, task.name, result.model_version, task.classes, elapsed_ms)


def _class_info(index: int, entry: Any) -> ClassInfo:
    red, green, blue = (int(level) for level in entry["colour"])
    return ClassInfo(index, str(entry["name"]), (red, green, blue))


def _image(result: InferResult, name: str, task: str) -> Tensor:
    image = result.outputs.get(name)
    if image is None or image.dtype != np.uint8 or image.ndim != 2:
        found = "missing" if image is None else f"{image.dtype} of shape {image.shape}"
        raise ServerError(f"model {task!r}: output {name!r} is {found}, expected uint8 HxW", model=task)
    return image
