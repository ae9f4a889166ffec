"""The network's answer → mask and probability at the picture's own size. The same file for every segmentation task."""

# The stub adds its own classes to pb_utils only after this file is imported.
from __future__ import annotations

import json

import triton_python_backend_utils as pb_utils

from tasks import TaskError, get_task
from tasks.imaging import Geometry
from tasks.processing import postprocess


class TritonPythonModel:
    """Triton's interface of a Python model."""

    def initialize(self, args: dict[str, str]) -> None:
        """Read which task this is."""
        config = json.loads(args["model_config"])
        self.task = get_task(config["parameters"]["task"]["string_value"])

    def execute(self, requests: list[pb_utils.InferenceRequest]) -> list[pb_utils.InferenceResponse]:
        """Answer each request by itself."""
        return [self.respond(request) for request in requests]

    def respond(self, request: pb_utils.InferenceRequest) -> pb_utils.InferenceResponse:
        """Return mask and probability, or INVALID_ARGUMENT with the reason."""
        names = ("fitted_probability", "fitted_field_of_view", "geometry")
        probability, view, geometry = (pb_utils.get_input_tensor_by_name(request, name).as_numpy() for name in names)
        try:
            prediction = postprocess(probability[0], view[0], Geometry.from_array(geometry), self.task)
        except TaskError as error:
            return pb_utils.InferenceResponse(
                error=pb_utils.TritonError(f"{self.task.name}: {error}", pb_utils.TritonError.INVALID_ARG)
            )
        return pb_utils.InferenceResponse(
            [
                pb_utils.Tensor("mask", prediction.mask),
                pb_utils.Tensor("probability", prediction.probability),
            ]
        )
