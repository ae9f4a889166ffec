"""ONNX in FP32: one file, dynamic batch, simplified. What ONNX Runtime serves anywhere and TensorRT builds from."""

import contextlib
import io
import logging
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import onnxsim
import torch
from torch import nn

from export.artefact import INPUT_NAME, OUTPUT_NAMES, Answer, Layers, Material, Pixels, Runner, outputs_of
from export.errors import ExportError
from tasks import TaskSpec
from training.serving_module import ServingModule

# The lowest opset with all operators as they are; TensorRT 11 and ONNX Runtime 1.27 read up to 25.
OPSET = 21
# What the other ONNX formats are made from.
WHOLE = "model.onnx"
# What `export.qdq` finds out about that file; of no use once it is written anew.
RANGES = "model.ranges.json"
SENSITIVITY = "model.sensitivity.json"
# Tensor within the graph that the parity gate measures; not an output of the file.
_PROBABILITY = "probability"
# Where the network lies within what is exported.
_WRAPPED = "module.network."
# Operators with weights of their own. An activation's output is not measured: a layer's is, before it.
LAYERS = ("Conv", "ConvTranspose", "Gemm", "MatMul")


def write_onnx(material: Material, path: Path) -> None:
    """Export, simplify, check fully and save with the metadata embedded.

    Raises:
        ExportError: an operator without an ONNX form, or a simplified graph that is not valid.
    """
    exported = _export(material.module.eval(), material.task)
    simplified, equal = onnxsim.simplify(exported)
    if not equal:
        raise ExportError("the simplified ONNX graph answers differently from the exported one; report this network")
    _clean(simplified)
    _name_layers(simplified.graph)
    # It was an output until here so that its name survived; a server would compute and send it.
    del simplified.graph.output[len(OUTPUT_NAMES[material.task.kind]) :]
    onnx.helper.set_model_props(simplified, dict(material.metadata))
    onnx.checker.check_model(simplified, full_check=True)
    for found in (RANGES, SENSITIVITY):
        path.with_name(found).unlink(missing_ok=True)
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
        model.graph.output.append(onnx.helper.make_tensor_value_info(measured, _type_of(model, measured), None))
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])

    def run(pixels: Pixels) -> Answer:
        found = dict(zip([*served, measured], session.run([*served, measured], {INPUT_NAME: pixels}), strict=True))
        return Answer(tuple(found[name] for name in served), found[measured].astype(np.float32, copy=False))

    return run


def layer_names(path: Path) -> list[str]:
    """Return the names of the layers of the file, in the order in which they are run."""
    return [node.name for node in onnx.load_model(str(path)).graph.node if node.op_type in LAYERS]


def onnx_layers(path: Path, picture: Pixels) -> Layers:
    """Return what the layers of the file answer to one picture, uint8 (size, size, 3), before their activations."""
    model = onnx.load_model(str(path))
    outputs = {node.name: node.output[0] for node in model.graph.node if node.op_type in LAYERS}
    for tensor in set(outputs.values()) - {output.name for output in model.graph.output}:
        model.graph.output.append(onnx.helper.make_tensor_value_info(tensor, _type_of(model, tensor), None))
    options = onnxruntime.SessionOptions()
    # Fused, a layer would have no output of its own.
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    answers = session.run(list(outputs.values()), {INPUT_NAME: picture[None]})
    return {name: answer.astype(np.float32) for name, answer in zip(outputs, answers, strict=True)}


def onnx_float_layers(path: Path) -> list[str]:
    """Return the layers that stayed FP32 in the file, as its metadata says."""
    told = {entry.key: entry.value for entry in onnx.load_model(str(path)).metadata_props}
    return str(told.get("float_layers", "")).split()


def _type_of(model: Any, tensor: str) -> int:
    """Return the element type of a tensor within the graph: in a half-precision file it is no float32."""
    inferred = onnx.shape_inference.infer_shapes(model).graph
    return next((item.type.tensor_type.elem_type for item in inferred.value_info if item.name == tensor), 1)


class _Measured(nn.Module):
    """The served outputs, and after them the probability that they are made of (unless it is served itself)."""

    def __init__(self, module: ServingModule) -> None:
        super().__init__()
        self.module = module

    def forward(self, pixels: torch.Tensor) -> tuple[torch.Tensor, ...]:
        probability = self.module.probability(pixels)
        outputs = outputs_of(self.module.serve(probability))
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
        said = str(error.__cause__ or error).strip().splitlines()[0]
        raise ExportError(f"the network cannot be written as ONNX: {said}") from error
    assert program is not None  # noqa: S101 - always so with dynamo=True
    return program.model_proto


def _name_layers(graph: Any) -> None:
    """Call a layer, its weights and its output as the network's source calls it: reports and profilers show the names.

    The exporter numbers nodes and prefixes weights with the modules that the network is wrapped in here.
    """
    layers: dict[str, str] = {}
    for node in graph.node:
        weight = node.input[1] if len(node.input) > 1 and node.op_type in LAYERS else ""
        name = weight.removeprefix(_WRAPPED).rpartition(".")[0]
        # A module that is called twice is one layer by name; its second call keeps the exporter's number.
        if weight.startswith(_WRAPPED) and name not in layers.values():
            layers[node.output[0]] = name
    served = {output.name for output in graph.output}
    for node in graph.node:
        node.name = layers.get(node.output[0], node.name.removeprefix("node_"))
        node.input[:] = [_renamed(name, layers, served) for name in node.input]
        node.output[:] = [_renamed(name, layers, served) for name in node.output]
    for item in [*graph.initializer, *graph.value_info]:
        item.name = _renamed(item.name, layers, served)


def _renamed(tensor: str, layers: dict[str, str], served: set[str]) -> str:
    return tensor if tensor in served else layers.get(tensor, tensor).removeprefix(_WRAPPED)


def _clean(model: Any) -> None:
    """Remove what the exporter noted about itself: source lines and paths of the machine it ran on."""
    for item in [*model.graph.node, *model.graph.value_info, *model.graph.initializer, model.graph]:
        item.doc_string = ""
        del item.metadata_props[:]
    for item in [*model.graph.input, *model.graph.output]:
        del item.metadata_props[:]
