"""Triton's `openvino` backend for machines without NVIDIA's container, as a Python-based backend.

It serves a stock `backend: "openvino"` config.pbtxt unchanged; in the container the compiled backend of the same name
is used instead. Honoured parameters: PERFORMANCE_HINT, NUM_STREAMS, INFERENCE_NUM_THREADS.
"""

# The stub adds its own classes to pb_utils only after this file is imported.
from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import openvino
import triton_python_backend_utils as pb_utils

_HONOURED = ("PERFORMANCE_HINT", "NUM_STREAMS", "INFERENCE_NUM_THREADS")


class TritonPythonModel:
    """Triton's interface of a Python model."""

    def initialize(self, args: dict[str, str]) -> None:
        """Load and compile the graph that the configuration names."""
        config = json.loads(args["model_config"])
        self.inputs = [tensor["name"] for tensor in config["input"]]
        self.outputs = [tensor["name"] for tensor in config["output"]]
        folder = Path(args["model_repository"]) / args["model_version"]
        core = openvino.Core()
        graph = core.read_model(str(folder / (config["default_model_filename"] or "model.xml")))
        self.compiled = core.compile_model(graph, "CPU", _options(config))

    def execute(self, requests: list[pb_utils.InferenceRequest]) -> list[pb_utils.InferenceResponse]:
        """Run all requests as one batch and hand each its rows."""
        columns = [
            [pb_utils.get_input_tensor_by_name(request, name).as_numpy() for request in requests]
            for name in self.inputs
        ]
        feed = {name: np.concatenate(arrays) for name, arrays in zip(self.inputs, columns, strict=True)}
        found = self.compiled(feed)
        ends = np.cumsum([len(array) for array in columns[0]])[:-1]
        answers = [np.split(found[name], ends) for name in self.outputs]
        return [self._respond(rows) for rows in zip(*answers, strict=True)]

    def _respond(self, rows: tuple[npt.NDArray[Any], ...]) -> pb_utils.InferenceResponse:
        pairs = zip(self.outputs, rows, strict=True)
        return pb_utils.InferenceResponse([pb_utils.Tensor(name, np.array(row)) for name, row in pairs])


def _options(config: dict[str, Any]) -> dict[str, str]:
    given = config.get("parameters", {})
    return {name: given[name]["string_value"] for name in _HONOURED if name in given}
