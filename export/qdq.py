"""Static quantisation of an ONNX graph by ONNX Runtime's quantiser, and what each layer's costs.

Signed and symmetric throughout, biases in float, one scale a channel of a weight, as TensorRT wants it (Krishnamoorthi,
"Quantizing deep convolutional networks", arXiv 1806.08342, 2018). Ranges of activations and the layers' sensitivities
are kept in files beside the graph: several formats and many attempts need them.
"""

import contextlib
import io
import json
import logging
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static

from export.artefact import INPUT_NAME, Pixels
from export.onnx import LAYERS, RANGES, SENSITIVITY, WHOLE, layer_names, load_onnx

# Layers whose own quantisation moves the probability by more than this share of what all of them together do.
_HURTING_SHARE = 0.1
# Each layer is tried on so many pictures: the ranking settles with the first ones.
_TRIED = 2


def quantise(
    whole: Path, to: Path, pictures: Sequence[Pixels], kept: Sequence[str] = (), *, only: str | None = None
) -> None:
    """Write the graph `whole` to `to`, quantised but for the layers `kept`, or quantised in one layer only."""
    with _silence():
        quantize_static(
            str(whole),
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
            calibration_cache_path=str(whole.with_name(RANGES)),
            extra_options={"ActivationSymmetric": True, "WeightSymmetric": True, "QuantizeBias": False},
        )


def sensitivity(whole: Path, calibration: Callable[[], Sequence[Pixels]]) -> dict[str, float]:
    """Return by layer the mean by which its quantisation alone moves the probability.

    Args:
        whole: the float graph. What is measured once is read from the file beside it until it is written anew.
        calibration: reads the pictures to take ranges from and to compare on.
    """
    known = whole.with_name(SENSITIVITY)
    if not known.is_file():
        found = _measure(whole, calibration())
        known.write_text(json.dumps(found, indent=2) + "\n")
    told: dict[str, float] = json.loads(known.read_text())
    return told


def hurting_layers(moved: dict[str, float]) -> list[str]:
    """Return the layers that move the probability by more than their share, by what `sensitivity` returns."""
    return [layer for layer, error in moved.items() if error > _HURTING_SHARE * sum(moved.values())]


def costly_layers(path: Path, calibration: Callable[[], Sequence[Pixels]]) -> list[str]:
    """Return the layers of the float graph beside an artefact by their `sensitivity`, the worst first."""
    moved = sensitivity(path.with_name(WHOLE), calibration)
    return sorted(moved, key=lambda layer: -moved[layer])


def _measure(whole: Path, pictures: Sequence[Pixels]) -> dict[str, float]:
    expected = _probabilities(whole, pictures[:_TRIED])
    moved = {}
    with tempfile.TemporaryDirectory(dir=whole.parent) as folder:
        trial = Path(folder) / "trial.onnx"
        for layer in layer_names(whole):
            quantise(whole, trial, pictures, only=layer)
            moved[layer] = float(np.abs(_probabilities(trial, pictures[:_TRIED]) - expected).mean())
    return {layer: float(f"{error:.2e}") for layer, error in moved.items()}


class _Pictures(CalibrationDataReader):  # type: ignore[misc]
    """Feeds the pictures one after the other, as the library asks for them."""

    def __init__(self, pictures: Sequence[Pixels]) -> None:
        self.pictures = iter(pictures)

    def get_next(self) -> dict[str, Any] | None:
        """Return the next picture as a batch of one, or None after the last."""
        picture = next(self.pictures, None)
        return None if picture is None else {INPUT_NAME: picture[None]}


def _probabilities(path: Path, pictures: Sequence[Pixels]) -> np.ndarray[Any, np.dtype[np.float32]]:
    run = load_onnx(path)
    return np.concatenate([run(picture[None]).probability for picture in pictures])


@contextlib.contextmanager
def _silence() -> Iterator[None]:
    """Keep the library's advice about its own options from between our lines."""
    root = logging.getLogger()
    before = root.level
    root.setLevel(logging.ERROR)
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            yield
    finally:
        root.setLevel(before)
