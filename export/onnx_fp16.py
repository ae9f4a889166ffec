"""ONNX in FP16, strongly typed: every tensor between the first cast and the last is half precision.

TensorRT 11 takes the types of the graph and chooses none by itself, so the choice is made here.
"""

import warnings
from pathlib import Path

import onnx
from onnxruntime.transformers.float16 import convert_float_to_float16
from onnxruntime.transformers.onnx_model import OnnxModel

from export.artefact import Material
from export.onnx import WHOLE


def write_onnx_fp16(material: Material, path: Path) -> None:
    """Write the FP32 graph beside `path` in half precision, but for `kept_float`; inputs and outputs stay."""
    model = onnx.load_model(str(path.with_name(WHOLE)))
    with warnings.catch_warnings():
        # It tells of weights below the smallest half; the parity gate tells whether that matters.
        warnings.simplefilter("ignore", UserWarning)
        # No operator stays FP32 for its type: a cast in the middle of the graph costs more than it saves.
        half = convert_float_to_float16(
            model, keep_io_types=True, op_block_list=[], node_block_list=sorted(material.kept_float)
        )
    # Casts around what stays FP32 are put at the end of the list.
    OnnxModel.graph_topological_sort(half.graph, is_deterministic=True)
    onnx.helper.set_model_props(half, {**material.metadata, "float_layers": " ".join(sorted(material.kept_float))})
    onnx.checker.check_model(half, full_check=True)
    onnx.save_model(half, str(path))
