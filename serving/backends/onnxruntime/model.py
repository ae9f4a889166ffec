"""Triton's `onnxruntime` backend for machines without NVIDIA's container, as a Python-based backend.

It serves a stock `backend: "onnxruntime"` config.pbtxt unchanged; in the container the compiled backend of the same
name is used instead. Honoured parameters: intra_op_thread_count, inter_op_thread_count.
"""

# The stub adds its own classes to pb_utils only after this file is imported.
from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnxruntime
import triton_python_backend_utils as pb_utils


class TritonPythonModel:
    """Triton's interface of a Python model."""

    def initialize(self, args: dict[str, str]) -> None:
        """Load the model file that the configuration names."""
        config = json.loads(args["model_config"])
        self.inputs = [tensor["name"] for tensor in config["input"]]
        self.outputs = [tensor["name"] for tensor in config["output"]]
        folder = Path(args["model_repository"]) / args["model_version"]
        path = folder / (config["default_model_filename"] or "model.onnx")
        self.session = onnxruntime.InferenceSession(str(path), _options(config), providers=["CPUExecutionProvider"])

    def execute(self, requests: list[pb_utils.InferenceRequest]) -> list[pb_utils.InferenceResponse]:
        """Run all requests as one batch and hand each its rows."""
        columns = [
            [pb_utils.get_input_tensor_by_name(request, name).as_numpy() for request in requests]
            for name in self.inputs
        ]
        feed = {name: np.concatenate(arrays) for name, arrays in zip(self.inputs, columns, strict=True)}
        ends = np.cumsum([len(array) for array in columns[0]])[:-1]
        answers = [np.split(answer, ends) for answer in self.session.run(self.outputs, feed)]
        return [self._respond(rows) for rows in zip(*answers, strict=True)]

    def _respond(self, rows: tuple[npt.NDArray[Any], ...]) -> pb_utils.InferenceResponse:
        pairs = zip(self.outputs, rows, strict=True)
        return pb_utils.InferenceResponse([pb_utils.Tensor(name, np.ascontiguousarray(row)) for name, row in pairs])


def _options(config: dict[str, Any]) -> onnxruntime.SessionOptions:
    options = onnxruntime.SessionOptions()
    for name in ("intra_op_thread_count", "inter_op_thread_count"):
        if parameter := config.get("parameters", {}).get(name):
            setattr(options, name.replace("_thread_count", "_num_threads"), int(parameter["string_value"]))
    # Spinning threads take the CPU from the other models and from the server itself.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return options
