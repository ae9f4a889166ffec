"""A segmentation of nothing, at once, by a server that regularly stands still."""

# The stub adds its own classes to pb_utils only after this file is imported.
from __future__ import annotations

import json
import time

import numpy as np
import triton_python_backend_utils as pb_utils

SIZE_PX = (48, 64)


class TritonPythonModel:
    """Triton's interface of a Python model."""

    def initialize(self, args: dict[str, str]) -> None:
        """Read how long and how often to stand still."""
        parameters = json.loads(args["model_config"])["parameters"]
        self.stall_s, self.every_s = (float(parameters[name]["string_value"]) for name in ("stall_s", "stall_every_s"))

    def execute(self, requests: list[pb_utils.InferenceRequest]) -> list[pb_utils.InferenceResponse]:
        """Return an empty mask for each request, after the stall if there is one."""
        left_s = self.every_s - time.monotonic() % self.every_s
        if left_s < self.stall_s:
            time.sleep(left_s)
        return [_answer() for _ in requests]


def _answer() -> pb_utils.InferenceResponse:
    plane = np.zeros(SIZE_PX, np.uint8)
    return pb_utils.InferenceResponse([pb_utils.Tensor(name, plane) for name in ("mask", "probability")])
