"""Triton's `pytorch` backend (TorchScript) for machines without NVIDIA's container, as a Python-based backend.

It serves a stock `backend: "pytorch"` config.pbtxt unchanged; in the container the compiled backend of the same name is
used instead. Like that one it takes tensors by the index their name ends in: `pixels__0` is the first argument.
"""

# The stub adds its own classes to pb_utils only after this file is imported.
from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import torch
import triton_python_backend_utils as pb_utils


class TritonPythonModel:
    """Triton's interface of a Python model."""

    def initialize(self, args: dict[str, str]) -> None:
        """Load the model file that the configuration names."""
        config = json.loads(args["model_config"])
        self.inputs = sorted((tensor["name"] for tensor in config["input"]), key=_index)
        self.outputs = sorted((tensor["name"] for tensor in config["output"]), key=_index)
        folder = Path(args["model_repository"]) / args["model_version"]
        path = folder / (config["default_model_filename"] or "model.pt")
        self.module = torch.jit.load(str(path), map_location="cpu").eval()  # type: ignore[no-untyped-call]

    def execute(self, requests: list[pb_utils.InferenceRequest]) -> list[pb_utils.InferenceResponse]:
        """Run all requests as one batch and hand each its rows."""
        columns = [
            [pb_utils.get_input_tensor_by_name(request, name).as_numpy() for request in requests]
            for name in self.inputs
        ]
        batch = [torch.from_numpy(np.concatenate(arrays)) for arrays in columns]
        with torch.inference_mode():
            answers = self.module(*batch)
        sizes = [len(array) for array in columns[0]]
        answers = answers if isinstance(answers, tuple) else (answers,)
        return [self._respond(rows) for rows in zip(*(answer.split(sizes) for answer in answers), strict=True)]

    def _respond(self, rows: tuple[torch.Tensor, ...]) -> pb_utils.InferenceResponse:
        pairs = zip(self.outputs, rows, strict=True)
        return pb_utils.InferenceResponse([pb_utils.Tensor(name, row.contiguous().numpy()) for name, row in pairs])


def _index(name: str) -> int:
    return int(name.rpartition("__")[2])
