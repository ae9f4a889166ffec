"""The model that gives back what it is sent."""

# The stub adds its own classes to pb_utils only after this file is imported.
from __future__ import annotations

import triton_python_backend_utils as pb_utils


class TritonPythonModel:
    """Triton's interface of a Python model."""

    def execute(self, requests: list[pb_utils.InferenceRequest]) -> list[pb_utils.InferenceResponse]:
        """Return each request's `x`."""
        return [pb_utils.InferenceResponse([pb_utils.get_input_tensor_by_name(request, "x")]) for request in requests]
