"""What a classification is to the caller, and how the server's answer is read into it."""

from dataclasses import dataclass

import numpy as np

from fovea_client.errors import ServerError
from fovea_client.requests import InferResult, Tensor
from fovea_client.task import TaskInfo
from fovea_client.timings import ServerTimings, server_timings


@dataclass(frozen=True, slots=True)
class Classification:
    """One image's answer.

    Attributes:
        label: name of the most probable class.
        index: its index among the task's classes.
        probability: 0 to 1 by the class's name, in the order of the classes.
        task: the task that was asked.
        model_version: the version of the task's model that answered.
        elapsed_ms: milliseconds from sending the request to having its answer, retries included.
        server: what the server spent, or None where it does not say.
    """

    label: str
    index: int
    probability: dict[str, float]
    task: str
    model_version: str
    elapsed_ms: float
    server: ServerTimings | None = None


def classification(task: TaskInfo, result: InferResult, *, elapsed_ms: float) -> Classification:
    """The answer of a task's model; raises ServerError when it is not a label and a probability for each class."""
    index = int(_tensor(result, "label", "int32", (1,), task.name)[0])
    values = _tensor(result, "probability", "float32", (len(task.classes),), task.name)
    if not 0 <= index < len(task.classes):
        raise ServerError(
            f"model {task.name!r}: label {index} names none of its {len(values)} classes", model=task.name
        )
    probability = {info.name: float(value) for info, value in zip(task.classes, values, strict=True)}
    name = task.classes[index].name
    server = server_timings(result, task.name)
    return Classification(name, index, probability, task.name, result.model_version, elapsed_ms, server)


def _tensor(result: InferResult, name: str, dtype: str, shape: tuple[int, ...], task: str) -> Tensor:
    tensor = result.outputs.get(name)
    if tensor is None or tensor.dtype != np.dtype(dtype) or tensor.shape != shape:
        found = "missing" if tensor is None else f"{tensor.dtype} of shape {tensor.shape}"
        raise ServerError(f"model {task!r}: output {name!r} is {found}, expected {dtype} {shape}", model=task)
    return tensor
