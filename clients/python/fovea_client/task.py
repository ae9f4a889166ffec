"""What the server says of a task: the client carries no list of tasks, names, colours and limits are the server's."""

import json
from dataclasses import dataclass
from typing import Any

from fovea_client.errors import InvalidRequestError, ServerError
from fovea_client.transport import ModelConfig

CLASSIFICATION = "classification"


@dataclass(frozen=True, slots=True)
class ClassInfo:
    """One class: its index in a mask or as a label, its name and the RGB colour, 0 to 255, that it is drawn in."""

    index: int
    name: str
    colour: tuple[int, int, int]


@dataclass(frozen=True, slots=True)
class TaskInfo:
    """A task's kind, its classes by index and the largest file that it takes; None where the server does not say."""

    name: str
    classes: tuple[ClassInfo, ...]
    max_image_bytes: int | None
    kind: str | None = None

    def require(self, *, classifies: bool) -> None:
        """Raise InvalidRequestError where the task answers with something else; a server that does not say may try."""
        if self.kind is None or (self.kind == CLASSIFICATION) == classifies:
            return
        given, method = ("masks", "segment") if classifies else ("a label", "classify")
        raise InvalidRequestError(f"model {self.name!r} answers with {given}: call {method}()", model=self.name)


def task_info(config: ModelConfig) -> TaskInfo:
    """The task that a model's configuration describes.

    Raises:
        InvalidRequestError: the model is no task: it names no classes.
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
        return TaskInfo(config.name, classes, None if limit is None else int(limit), parameters.get("kind"))
    except (ValueError, TypeError, KeyError) as error:
        message = f"model {config.name!r}: its parameters cannot be read ({error!r}); correct its config.pbtxt"
        raise ServerError(message, model=config.name) from error


def _class_info(index: int, entry: Any) -> ClassInfo:
    red, green, blue = (int(level) for level in entry["colour"])
    return ClassInfo(index, str(entry["name"]), (red, green, blue))
