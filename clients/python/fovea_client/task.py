"""What the server says of a task: the client carries no list of tasks, names, colours and limits are the server's."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from fovea_client.errors import InvalidRequestError, ServerError
from fovea_client.requests import ModelConfig

CLASSIFICATION = "classification"
_NUMBERS = ("max_image_bytes", "max_side_px", "max_pixels", "size_px")


@dataclass(frozen=True, slots=True)
class ClassInfo:
    """One class: its index in a mask or as a label, its name and the RGB colour, 0 to 255, that it is drawn in."""

    index: int
    name: str
    colour: tuple[int, int, int]


@dataclass(frozen=True, slots=True)
class TaskInfo:
    """What the server says of a task; None where it does not say.

    Attributes:
        name: of the task and its model.
        classes: the classes by index.
        max_image_bytes: the largest file that it takes.
        kind: "binary_segmentation", "semantic_segmentation" or "classification".
        max_side_px: the longest side that it takes.
        max_pixels: the most pixels that it takes.
        size_px: side of the square that a picture is fitted to for the network.
        provenance: what the release says that the task was made from: `weights_sha256`, `data_digest`, `metrics` and
            more; empty where it does not say. Two descriptions that differ in nothing else are equal.
    """

    name: str
    classes: tuple[ClassInfo, ...]
    max_image_bytes: int | None
    kind: str | None = None
    max_side_px: int | None = None
    max_pixels: int | None = None
    size_px: int | None = None
    provenance: Mapping[str, Any] = field(default_factory=dict, compare=False, repr=False)

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
        numbers = {name: None if name not in parameters else int(parameters[name]) for name in _NUMBERS}
        provenance = dict(json.loads(parameters.get("provenance", "{}")))
        return TaskInfo(config.name, classes, **numbers, kind=parameters.get("kind"), provenance=provenance)
    except (ValueError, TypeError, KeyError) as error:
        message = f"model {config.name!r}: its parameters cannot be read ({error!r}); correct its config.pbtxt"
        raise ServerError(message, model=config.name) from error


def _class_info(index: int, entry: Any) -> ClassInfo:
    red, green, blue = (int(level) for level in entry["colour"])
    return ClassInfo(index, str(entry["name"]), (red, green, blue))
