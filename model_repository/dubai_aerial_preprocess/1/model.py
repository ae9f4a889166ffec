"""Encoded picture → the network's square. The same file for every task; the config's parameter names the task."""

# The stub adds its own classes to pb_utils only after this file is imported.
from __future__ import annotations

import json
import time

import numpy as np
import triton_python_backend_utils as pb_utils

from tasks import TaskError, get_task
from tasks.processing import preprocess


class TritonPythonModel:
    """Triton's interface of a Python model."""

    def initialize(self, args: dict[str, str]) -> None:
        """Read which task this is."""
        config = json.loads(args["model_config"])
        self.task = get_task(config["parameters"]["task"]["string_value"])

    def execute(self, requests: list[pb_utils.InferenceRequest]) -> list[pb_utils.InferenceResponse]:
        """Answer each request by itself: a bad picture fails alone."""
        return [self.respond(request) for request in requests]

    def respond(self, request: pb_utils.InferenceRequest) -> pb_utils.InferenceResponse:
        """Return pixels, field of view, geometry and when this began and ended; or INVALID_ARGUMENT with the reason."""
        begun_ns = time.monotonic_ns()
        try:
            image = pb_utils.get_input_tensor_by_name(request, "image").as_numpy()
            fitted = preprocess(bytes(image[0]), self.task)
        except (TaskError, IndexError, TypeError) as error:
            return pb_utils.InferenceResponse(
                error=pb_utils.TritonError(f"{self.task.name}: {error}", pb_utils.TritonError.INVALID_ARG)
            )
        return pb_utils.InferenceResponse(
            [
                pb_utils.Tensor("pixels", fitted.pixels[np.newaxis]),
                pb_utils.Tensor("field_of_view", fitted.field_of_view[np.newaxis]),
                pb_utils.Tensor("geometry", fitted.geometry.to_array()),
                pb_utils.Tensor("clock_ns", np.array([begun_ns, time.monotonic_ns()], np.int64)),
            ]
        )
