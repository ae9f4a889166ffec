"""The formats that there are. A further one is its module and a line here; tests run over all of them."""

from export.artefact import Budget, Format
from export.onnx import load_onnx, write_onnx
from export.torchscript import load_torchscript, write_torchscript

_FP32 = Budget(
    max_abs_error=1e-4,
    max_level_error=1,
    disagreement=1e-4,
    quality_difference=0.0005,
    reason="the same arithmetic in another order: 1e-6 is usual; 1e-4 is 1/40 of a level, and rounding may tip one, as "
    "it may tip the arg-max where two classes are equally probable",
)

FORMATS: dict[str, Format] = {
    "torchscript": Format("model.pt", write_torchscript, load_torchscript, _FP32, ("torch",)),
    "onnx": Format(
        "model.onnx", write_onnx, load_onnx, _FP32, ("onnx", "onnxruntime", "onnxscript", "onnxsim", "torch")
    ),
}
