"""OpenVINO IR in INT8: what serves fastest on CPUs.

NNCF quantises (Kozlov et al., "Neural Network Compression Framework", arXiv 2002.08679, 2020): its graphs have no
detours for OpenVINO's integer kernels, and it corrects the shift that quantisation gives a layer's mean. Two files: the
graph, and the weights beside it under the same stem.
"""

import contextlib
import io
import logging
import os
import re
from collections.abc import Collection
from pathlib import Path
from typing import Any

import numpy as np

from export.artefact import INPUT_NAME, Answer, Layers, Material, Pixels, Runner
from export.onnx import WHOLE
from export.qdq import costly_layers

_PROBABILITY = "probability"
_NO_COMPUTATION = ("Constant", "Parameter", "Result", "Convert")
_PASSING_ON = ("Relu", "MaxPool", "Concat", "Interpolate", "MatMul")


def write_openvino(material: Material, path: Path) -> None:
    """Quantise the FP32 graph beside `path` and write `path` (the graph) and its `.bin` (the weights).

    In FP32 stay `kept_float`, the layer that quantisation hurts most (the first one mostly, whose few weights decide
    about every pixel), and what is no layer, such as the statistics that a head takes.

    Raises:
        ExportError: there are no pictures to calibrate on.
    """
    whole = path.with_name(WHOLE)
    pictures = material.learnt_pictures()
    openvino, nncf = _openvino(), _nncf()
    kept = material.kept_float | set(costly_layers(path, material.learnt_pictures)[:1])
    graph = openvino.Core().read_model(str(whole))
    _number(graph)
    with contextlib.redirect_stdout(io.StringIO()):
        quantised = nncf.quantize(
            graph,
            nncf.Dataset(pictures, lambda picture: {INPUT_NAME: picture[None]}),
            subset_size=len(pictures),
            # Activations mostly lie on one side of zero: their ranges need not be symmetric here.
            preset=nncf.QuantizationPreset.MIXED,
            ignored_scope=_ignored(nncf, graph, kept),
        )
    for name, value in {**material.metadata, "float_layers": " ".join(sorted(kept))}.items():
        quantised.set_rt_info(value, ["fovea", name])
    _number(quantised)
    openvino.save_model(quantised, str(path), compress_to_fp16=False)


def load_openvino(path: Path) -> Runner:
    """Return a function that runs the file on the CPU.

    The probability before arg-max and rounding is made an output of the graph in memory; the file stays as it is.
    """
    openvino = _openvino()
    core = openvino.Core()
    graph = core.read_model(str(path))
    served = len(graph.outputs)
    if graph.outputs[0].element_type == openvino.Type.u8:
        graph.add_outputs([_PROBABILITY])
    compiled = core.compile_model(graph, "CPU")

    def run(pixels: Pixels) -> Answer:
        found = [np.array(value) for value in compiled(pixels).values()]
        return Answer(tuple(found[:served]), found[-1].astype(np.float32, copy=False))

    return run


def openvino_layers(path: Path, picture: Pixels) -> Layers:
    """Return what the layers of the file answer to one picture, uint8 (size, size, 3), before their activations."""
    core = _openvino().Core()
    graph = core.read_model(str(path))
    named = [node for node in graph.get_ordered_ops() if _is_layer(node)]
    graph.add_outputs([node.output(0) for node in named])
    answers = list(core.compile_model(graph, "CPU")(picture[None]).values())[-len(named) :]
    return {node.friendly_name: np.array(answer) for node, answer in zip(named, answers, strict=True)}


def openvino_float_layers(path: Path) -> list[str]:
    """Return the layers that stayed FP32 in the graph, as it says of itself."""
    return str(_openvino().Core().read_model(str(path)).get_rt_info(["fovea", "float_layers"]).value).split()


def _is_layer(node: Any) -> bool:
    """A layer's last node has its name: the convolution before it is called `<layer>/WithoutBiases`."""
    if node.get_type_name() == "Add":
        return bool(node.input_value(0).get_node().friendly_name == f"{node.friendly_name}/WithoutBiases")
    return node.get_type_name() in ("Convolution", "MatMul") and not node.friendly_name.endswith("/WithoutBiases")


def _number(graph: Any) -> None:
    """Number nodes that have no name of their own by their place: the library counts on through a whole process."""
    for place, node in enumerate(graph.get_ordered_ops()):
        if re.fullmatch(rf"{node.get_type_name()}_\d+", node.friendly_name):
            node.friendly_name = f"{node.get_type_name()}_{place}"


def _ignored(nncf: Any, graph: Any, layers: Collection[str]) -> Any:
    """Return what stays float: the layers, what no convolution comes after, and what is neither layer nor passes on.

    A residual's sum and an average have a range that fits none of their parts; the picture has all of its 256 levels.
    """
    operations = graph.get_ordered_ops()
    before: set[str] = set()
    for node in reversed(operations):
        if node.friendly_name in before or node.get_type_name() == "Convolution":
            before |= {value.get_node().friendly_name for value in node.input_values()}
    kept = {name for layer in layers for name in (layer, f"{layer}/WithoutBiases")}
    names = [
        node.friendly_name
        for node in operations
        if node.get_type_name() not in _NO_COMPUTATION and (node.friendly_name in kept or not _quantised(node, before))
    ]
    return nncf.IgnoredScope(names=sorted(names))


def _quantised(node: Any, before: Collection[str]) -> bool:
    kind = node.get_type_name()
    if kind == "Convolution":
        return True
    return node.friendly_name in before and (kind in _PASSING_ON or (kind == "Add" and _is_layer(node)))


def _openvino() -> Any:
    import openvino  # noqa: PLC0415 - a second of imports that other formats need not wait for

    return openvino


def _nncf() -> Any:
    # It would report its use to its makers.
    os.environ.setdefault("NNCF_CI", "1")
    import nncf  # noqa: PLC0415 - as above

    nncf.set_log_level(logging.ERROR)
    return nncf
