"""ONNX in FP32: one file, dynamic batch, simplified. What ONNX Runtime serves anywhere and TensorRT builds from."""

import contextlib
import io
import logging
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import onnx
import onnxruntime
import onnxsim
import torch
from torch import nn

from export.artefact import INPUT_NAME, OUTPUT_NAMES, Answer, Pixels, Runner
from export.errors import ExportError
from tasks import TaskSpec
from training.serving_module import ServingModule

# The lowest opset with all operators as they are; TensorRT 11 and ONNX Runtime 1.27 read up to 25.
OPSET = 21
# Tensor within the graph that the parity gate measures; not an output of the file.
_PROBABILITY = "probability"


def write_onnx(module: ServingModule, task: TaskSpec, metadata: Mapping[str, str], path: Path) -> None:
    """Export, simplify, check fully and save with the metadata embedded.

    Raises:
        ExportError: an operator without an ONNX form, or a simplified graph that is not valid.
    """
    exported = _export(module.eval(), task)
    simplified, equal = onnxsim.simplify(exported)
    if not equal:
        raise ExportError("the simplified ONNX graph answers differently from the exported one; report this network")
    _clean(simplified)
    # It was an output until here so that its name survived; a server would compute and send it.
    del simplified.graph.output[len(OUTPUT_NAMES[task.kind]) :]
    onnx.helper.set_model_props(simplified, dict(metadata))
    onnx.checker.check_model(simplified, full_check=True)
    onnx.save_model(simplified, str(path))


def load_onnx(path: Path) -> Runner:
    """Return a function that runs the file under ONNX Runtime on the CPU.

    The probability before arg-max and rounding is made an output of a copy in memory; the file itself stays as it is.
    """
    model = onnx.load_model(str(path))
    served = [output.name for output in model.graph.output]
    # A probability that is served as it is must be measured as it is served.
    measured = _PROBABILITY if model.graph.output[0].type.tensor_type.elem_type == onnx.TensorProto.UINT8 else served[0]
    if measured not in served:
        model.graph.output.append(onnx.helper.make_tensor_value_info(measured, onnx.TensorProto.FLOAT, None))
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])

    def run(pixels: Pixels) -> Answer:
        found = dict(zip([*served, measured], session.run([*served, measured], {INPUT_NAME: pixels}), strict=True))
        return Answer(tuple(found[name] for name in served), found[measured])

    return run


class _Measured(nn.Module):
    """The served outputs, and after them the probability that they are made of (unless it is served itself)."""

    def __init__(self, module: ServingModule) -> None:
        super().__init__()
        self.module = module

    def forward(self, pixels: torch.Tensor) -> tuple[torch.Tensor, ...]:
        probability = self.module.probability(pixels)
        served = self.module.serve(probability)
        outputs = served if isinstance(served, tuple) else (served,)
        return outputs if outputs[0].is_floating_point() else (*outputs, probability)


def _export(module: ServingModule, task: TaskSpec) -> Any:
    example = torch.zeros(2, task.size_px, task.size_px, 3, dtype=torch.uint8)
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    try:
        # The exporter prints its steps, and torch warns of its own deprecated calls.
        with contextlib.redirect_stdout(io.StringIO()), warnings.catch_warnings():
            warnings.simplefilter("ignore", (FutureWarning, DeprecationWarning))
            program = torch.onnx.export(
                _Measured(module).eval(),
                (example,),
                input_names=[INPUT_NAME],
                output_names=[*OUTPUT_NAMES[task.kind], _PROBABILITY],
                dynamic_shapes=({0: "batch"},),
                opset_version=OPSET,
                dynamo=True,
            )
    except (torch.onnx.errors.OnnxExporterError, RuntimeError) as error:
        raise ExportError(f"the network cannot be written as ONNX: {error}") from error
    assert program is not None  # noqa: S101 - always so with dynamo=True
    return program.model_proto


def _clean(model: Any) -> None:
    """Remove what the exporter noted about itself: source lines and paths of the machine it ran on."""
    for item in [*model.graph.node, *model.graph.value_info, *model.graph.initializer, model.graph]:
        item.doc_string = ""
        del item.metadata_props[:]
    for item in [*model.graph.input, *model.graph.output]:
        del item.metadata_props[:]
