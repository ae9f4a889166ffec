"""ONNX in INT8: static post-training quantisation, written as pairs of QuantizeLinear and DequantizeLinear.

As TensorRT wants it: signed and symmetric throughout, biases in float. Weights have one scale a channel
(Krishnamoorthi, "Quantizing deep convolutional networks", arXiv 1806.08342, 2018); ranges of activations come from
pictures that the network was trained on. Layers that hurt stay float.
"""

import contextlib
import io
import json
import logging
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static

from export.artefact import INPUT_NAME, Material, Pixels
from export.errors import ExportError
from export.onnx import LAYERS, WHOLE, layer_names, load_onnx

_OPSET = 20
# Layers whose own quantisation moves the probability by more than this share of what all of them together do.
_HURTING_SHARE = 0.1
# Each layer is tried on so many pictures: the ranking settles with the first ones.
_TRIED = 2


def write_onnx_int8(material: Material, path: Path) -> None:
    """Quantise the FP32 graph beside `path`; its metadata tell the `float_layers` and the `sensitivity` of each layer.

    They are those that a pass over all layers finds to hurt, and those of `kept_float`.

    Raises:
        ExportError: there are no pictures to calibrate on.
    """
    pictures = material.calibration()
    if not pictures:
        raise ExportError(
            "quantisation needs pictures to calibrate on, and there are none; name some with calibration="
        )
    with tempfile.TemporaryDirectory(dir=path.parent) as folder, _silence():
        whole = path.with_name(WHOLE)
        moved = sensitivity(whole, pictures[:_TRIED], Path(folder))
        kept = sorted({*material.kept_float, *hurting_layers(moved)})
        _quantise(whole, path, pictures, kept)
    model = onnx.load_model(str(path))
    # In 21, ONNX Runtime 1.27 gives the pairs that it moves past a float pooling the wrong type, and then refuses them.
    # Nothing that these graphs hold is different in 20; the check below would tell.
    model.opset_import[0].version = _OPSET
    onnx.helper.set_model_props(model, {**material.metadata, "float_layers": " ".join(kept), **_told(moved)})
    onnx.checker.check_model(model, full_check=True)
    onnx.save_model(model, str(path))


def hurting_layers(moved: dict[str, float]) -> list[str]:
    """Return the layers that move the probability by more than their share, by what `sensitivity` returns."""
    return [layer for layer, error in moved.items() if error > _HURTING_SHARE * sum(moved.values())]


def _told(moved: dict[str, float]) -> dict[str, str]:
    return {"sensitivity": json.dumps({layer: float(f"{error:.2e}") for layer, error in moved.items()})}


def sensitivity(whole: Path, pictures: Sequence[Pixels], folder: Path) -> dict[str, float]:
    """Return by layer the mean by which its quantisation alone moves the probability.

    Args:
        whole: the float graph.
        pictures: to calibrate and to compare on.
        folder: for files on the way.
    """
    layers = layer_names(whole)
    expected = _probabilities(whole, pictures)
    trial = folder / "trial.onnx"
    moved = []
    for layer in layers:
        _quantise(whole, trial, pictures, only=layer)
        moved.append(float(np.abs(_probabilities(trial, pictures) - expected).mean()))
    return dict(zip(layers, moved, strict=True))


class _Pictures(CalibrationDataReader):  # type: ignore[misc]
    """Feeds the pictures one after the other, as the library asks for them."""

    def __init__(self, pictures: Sequence[Pixels]) -> None:
        self.pictures = iter(pictures)

    def get_next(self) -> dict[str, Any] | None:
        """Return the next picture as a batch of one, or None after the last."""
        picture = next(self.pictures, None)
        return None if picture is None else {INPUT_NAME: picture[None]}


def _quantise(
    source: Path, to: Path, pictures: Sequence[Pixels], kept: Sequence[str] = (), *, only: str | None = None
) -> None:
    quantize_static(
        str(source),
        str(to),
        _Pictures(pictures),
        quant_format=QuantFormat.QDQ,
        per_channel=True,
        activation_type=QuantType.QInt8,
        weight_type=QuantType.QInt8,
        # What lies between two layers TensorRT keeps integer by itself; statistics that a head takes would suffer.
        op_types_to_quantize=list(LAYERS),
        nodes_to_quantize=None if only is None else [only],
        nodes_to_exclude=list(kept),
        extra_options={"ActivationSymmetric": True, "WeightSymmetric": True, "QuantizeBias": False},
    )


def _probabilities(path: Path, pictures: Sequence[Pixels]) -> np.ndarray[Any, np.dtype[np.float32]]:
    run = load_onnx(path)
    return np.concatenate([run(picture[None]).probability for picture in pictures])


@contextlib.contextmanager
def _silence() -> Any:
    """Keep the library's advice about its own options from between our lines."""
    root = logging.getLogger()
    before = root.level
    root.setLevel(logging.ERROR)
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            yield
    finally:
        root.setLevel(before)
