"""The placed network on plain pictures, without a server: its answer, and an embedding from inside it.

The embedding is the deepest activation of the release's own `model.onnx`, the map of the smallest resolution, averaged
over its pixels. Where a network is about to decide is where drift shows earliest in few dimensions (Rabanser et al.,
"Failing loudly: an empirical study of methods for detecting dataset shift", NeurIPS 2019); pooled activations are what
the Fréchet inception distance compares pictures by (Heusel et al., NeurIPS 2017).
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
import onnxruntime

from monitoring.errors import UsageError
from tasks import TaskSpec
from tasks.checksums import sha256_of, verify_checksums
from tasks.errors import ChecksumError

FILE_NAME = "model.onnx"
_EMBEDDING = "embedding__0"
_MAP_AXES = 4  # batch, channels, height, width
_ACTIVATIONS = frozenset({"Elu", "Gelu", "HardSwish", "LeakyRelu", "Mish", "PRelu", "Relu"})


@dataclass(frozen=True)
class Answer:
    """What the network says of one picture.

    Attributes:
        probability: uint8 (size_px, size_px), 0–255; of a classification float32 (classes,).
        classes: uint8 (size_px, size_px) class indices of a semantic segmentation, else None.
        embedding: float32 (channels,).
    """

    probability: npt.NDArray[Any]
    classes: npt.NDArray[np.uint8] | None
    embedding: npt.NDArray[np.float32]


class Network:
    """A task's network as a release holds it.

    Attributes:
        task: what it predicts.
        release: SHA-256 of the release's content.
        sha256: of the network's file.
        layer: name of the tensor that is pooled to the embedding.
    """

    def __init__(self, release: Path, task: TaskSpec) -> None:
        """Open the network. Raises UsageError: no whole release of that task with an ONNX network."""
        self.task = task
        self.release = _digest(release)
        file = _file(release, task)
        self.sha256 = sha256_of(file)
        model = onnx.load_model(str(file))
        self.layer = _deepest_map(model, file)
        self._outputs = [output.name for output in model.graph.output]
        self._input = model.graph.input[0].name
        _add_pooled(model, self.layer)
        self._session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])

    def answer(self, pixels: npt.NDArray[np.uint8]) -> Answer:
        """Return the answer to one picture, uint8 (size_px, size_px, 3), as `tasks.processing` fits it."""
        found = self._session.run([*self._outputs, _EMBEDDING], {self._input: pixels[None]})
        # A semantic segmentation answers with the plane of its classes first.
        *classes, probability, embedding = (output[0] for output in found)
        return Answer(probability, classes[0] if classes else None, embedding)


def _digest(release: Path) -> str:
    try:
        return verify_checksums(release)
    except ChecksumError as error:
        raise UsageError(str(error)) from None


def _file(release: Path, task: TaskSpec) -> Path:
    versions = sorted((release / f"{task.name}_network").glob(f"*/{FILE_NAME}"))
    if not versions:
        raise UsageError(
            f"{release} holds no {task.name}_network/1/{FILE_NAME}: export {task.name} with onnx among its formats."
        )
    return versions[-1]


def _deepest_map(model: Any, file: Path) -> str:
    """Return the last activation of those with the fewest pixels; of no activation, the last such map.

    One pixel is no map but a figure of the whole picture, such as a gate of its channels.
    """
    inferred = onnx.shape_inference.infer_shapes(model).graph
    pixels = {info.name: _pixels(info) for info in inferred.value_info}
    made = [(name, node.op_type) for node in inferred.node for name in node.output if pixels.get(name, 0) > 1]
    if not made:
        raise UsageError(f"{file} has no layer of known size to take an embedding from; export the task again.")
    fewest = min(pixels[name] for name, _ in made)
    smallest = [(name, kind) for name, kind in made if pixels[name] == fewest]
    activations = [name for name, kind in smallest if kind in _ACTIVATIONS]
    return str((activations or [name for name, _ in smallest])[-1])


def _pixels(info: Any) -> int:
    """Return the pixels of a map with channels; 0 for any other tensor and for one whose size is not fixed."""
    axes = [axis.dim_value for axis in info.type.tensor_type.shape.dim]
    return axes[2] * axes[3] if len(axes) == _MAP_AXES and axes[1] else 0


def _add_pooled(model: Any, layer: str) -> None:
    """Let the graph in memory answer with the layer's mean over its pixels as well; the file stays as it is."""
    pooled = f"{_EMBEDDING}_pooled"
    model.graph.node.append(onnx.helper.make_node("GlobalAveragePool", [layer], [pooled]))
    model.graph.node.append(onnx.helper.make_node("Flatten", [pooled], [_EMBEDDING], axis=1))
    kind = onnx.TensorProto.FLOAT
    model.graph.output.append(onnx.helper.make_tensor_value_info(_EMBEDDING, kind, ["batch", None]))
