"""The formats that there are. A further one is its module and a line here; tests run over all of them."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from export.aoti import load_aoti, write_aoti
from export.artefact import Budget, Format, Material
from export.onnx import WHOLE, load_onnx, onnx_float_layers, onnx_layers, write_onnx
from export.onnx_fp16 import write_onnx_fp16
from export.onnx_int8 import write_onnx_int8
from export.openvino import load_openvino, openvino_float_layers, openvino_layers, write_openvino
from export.qdq import costly_layers
from export.tensorrt import SCRIPT, SOURCE, load_tensorrt, write_tensorrt
from export.torch_tensorrt import load_torch_tensorrt, write_torch_tensorrt
from export.torchscript import load_torchscript, torchscript_layers, write_torchscript

_FP32 = Budget(
    max_abs_error=1e-4,
    max_level_error=1,
    disagreement=1e-4,
    quality_difference=0.0005,
    layer_error=1e-4,
    reason="the same arithmetic in another order: 1e-6 is usual; 1e-4 is 1/40 of a level, and rounding may tip one, as "
    "it may tip the arg-max where two classes are equally probable",
)

# What is served is all that can be seen: two bytes that differ by rounding are 1/255 apart.
_FP32_BYTES = replace(
    _FP32,
    max_abs_error=1.5 / 255,
    reason="the same arithmetic in another order, seen through the served bytes, of which rounding may tip one",
)

_FP16 = Budget(
    max_abs_error=0.02,
    max_level_error=5,
    disagreement=0.005,
    quality_difference=0.001,
    layer_error=0.01,
    reason="eleven significant bits in every layer: pixels near a boundary move by some levels, the figure does not",
)

_INT8 = Budget(
    max_abs_error=1.0,
    max_level_error=255,
    disagreement=0.02,
    quality_difference=0.002,
    layer_error=0.2,
    reason="256 steps in every layer: a pixel on a boundary may change sides, so no single pixel is held to anything; "
    "how many may change, and the figure, are",
)

_ONNX_TOOLS = ("onnx", "onnxruntime", "onnxscript", "onnxsim", "torch")


def _lower_onnx(file_name: str, write: Callable[[Material, Path], None], budget: Budget) -> Format:
    """Return an ONNX format of lower precision, made from the FP32 graph."""
    return Format(
        file_name,
        write,
        load_onnx,
        budget,
        _ONNX_TOOLS,
        needs=("onnx",),
        layers=onnx_layers,
        kept=onnx_float_layers,
        islands=True,
    )


FORMATS: dict[str, Format] = {
    "torchscript": Format(
        "model.pt",
        write_torchscript,
        load_torchscript,
        _FP32,
        ("torch",),
        by_default=True,
        layers=torchscript_layers,
    ),
    "onnx": Format(WHOLE, write_onnx, load_onnx, _FP32, _ONNX_TOOLS, by_default=True, layers=onnx_layers),
    "onnx_fp16": _lower_onnx(SOURCE, write_onnx_fp16, _FP16),
    "onnx_int8": replace(_lower_onnx("model.int8.onnx", write_onnx_int8, _INT8), order=costly_layers),
    "openvino": Format(
        "model.xml",
        write_openvino,
        load_openvino,
        _INT8,
        (*_ONNX_TOOLS, "nncf", "openvino"),
        companions=("model.bin",),
        needs=("onnx",),
        layers=openvino_layers,
        kept=openvino_float_layers,
        islands=True,
        order=costly_layers,
    ),
    "tensorrt": Format(SCRIPT, write_tensorrt, load_tensorrt, _FP16, _ONNX_TOOLS, needs=("onnx", "onnx_fp16")),
    "torch_tensorrt": Format(
        "model.trt.pt", write_torch_tensorrt, load_torch_tensorrt, _FP16, ("torch", "torch-tensorrt")
    ),
    "aoti": Format("model.pt2", write_aoti, load_aoti, _FP32_BYTES, ("torch",)),
}


def with_needed(names: Sequence[str]) -> list[str]:
    """Return the formats and those that they are made from, these first, each once."""
    return list(dict.fromkeys(name for each in names for name in (*FORMATS[each].needs, each)))
