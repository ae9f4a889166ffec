"""ONNX in INT8, as TensorRT wants it: pairs of QuantizeLinear and DequantizeLinear (`export.qdq`)."""

import json
from pathlib import Path

import onnx

from export.artefact import Material
from export.onnx import WHOLE
from export.qdq import hurting_layers, quantise, sensitivity

_OPSET = 20


def write_onnx_int8(material: Material, path: Path) -> None:
    """Quantise the FP32 graph beside `path`; its metadata tell the `float_layers` and the `sensitivity` of each layer.

    In FP32 stay the layers that a pass over all of them finds to hurt, and `kept_float`.

    Raises:
        ExportError: there are no pictures to calibrate on.
    """
    whole = path.with_name(WHOLE)
    moved = sensitivity(whole, material.learnt_pictures)
    kept = sorted({*material.kept_float, *hurting_layers(moved)})
    quantise(whole, path, material.learnt_pictures(), kept)
    model = onnx.load_model(str(path))
    # In 21, ONNX Runtime 1.27 gives the pairs that it moves past a float pooling the wrong type, and then refuses them.
    # Nothing that these graphs hold is different in 20; the check below would tell.
    model.opset_import[0].version = _OPSET
    told = {"float_layers": " ".join(kept), "sensitivity": json.dumps(moved)}
    onnx.helper.set_model_props(model, {**material.metadata, **told})
    onnx.checker.check_model(model, full_check=True)
    onnx.save_model(model, str(path))
