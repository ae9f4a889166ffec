"""The network's answer → what the caller gets, at the picture's own size. The same file for every task.

What the task's kind means for tensors stands in the config beside this folder; a test holds the two together.
"""

# The stub adds its own classes to pb_utils only after this file is imported.
from __future__ import annotations

import json

import numpy as np
import numpy.typing as npt
import triton_python_backend_utils as pb_utils

from tasks import Kind, TaskError, TaskSpec, get_task
from tasks.imaging import Geometry
from tasks.processing import postprocess, postprocess_classes, postprocess_label


class TritonPythonModel:
    """Triton's interface of a Python model."""

    def initialize(self, args: dict[str, str]) -> None:
        """Read which task this is, and which tensors it is given."""
        config = json.loads(args["model_config"])
        self.task = get_task(config["parameters"]["task"]["string_value"])
        self.inputs = [tensor["name"] for tensor in config["input"]]

    def execute(self, requests: list[pb_utils.InferenceRequest]) -> list[pb_utils.InferenceResponse]:
        """Answer each request by itself."""
        return [self.respond(request) for request in requests]

    def respond(self, request: pb_utils.InferenceRequest) -> pb_utils.InferenceResponse:
        """Return the task's outputs, or INVALID_ARGUMENT with the reason."""
        given = {name: pb_utils.get_input_tensor_by_name(request, name).as_numpy() for name in self.inputs}
        try:
            outputs = answer(given, self.task)
        except TaskError as error:
            return pb_utils.InferenceResponse(
                error=pb_utils.TritonError(f"{self.task.name}: {error}", pb_utils.TritonError.INVALID_ARG)
            )
        return pb_utils.InferenceResponse([pb_utils.Tensor(name, array) for name, array in outputs.items()])


def answer(given: dict[str, npt.NDArray[np.generic]], task: TaskSpec) -> dict[str, npt.NDArray[np.generic]]:
    """Return the outputs by name: label and probability of a classification, else mask and probability.

    Raises:
        TaskError: shapes or values that no picture leads to; this model is open to everyone.
    """
    probability = given["fitted_probability"][0]
    if task.kind is Kind.CLASSIFICATION:
        found = postprocess_label(probability, task)
        return {"label": np.array([found.label], np.int32), "probability": found.probability}
    view, geometry = given["fitted_field_of_view"][0], Geometry.from_array(given["geometry"])
    if task.kind is Kind.SEMANTIC_SEGMENTATION:
        segmented = postprocess_classes(given["fitted_mask"][0], probability, view, geometry, task)
    else:
        segmented = postprocess(probability, view, geometry, task)
    return {"mask": segmented.mask, "probability": segmented.probability}
