"""A sealed release whose network is a few ONNX nodes: what reads releases is tested without training or torch."""

from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from tasks import Kind, TaskSpec
from tasks.checksums import write_checksums

STRIDE = 16


def onnx_release(folder: Path, task: TaskSpec, bias: float = -0.2) -> Path:
    """Write a release of one task and return its folder.

    The network averages squares of pixels and weighs the channels: red speaks for the first class, green for the next.
    `bias` makes it another network.
    """
    version = folder / f"{task.name}_network" / "1"
    version.mkdir(parents=True)
    model = helper.make_model(_graph(task, bias), opset_imports=[helper.make_opsetid("", 17)], ir_version=10)
    onnx.checker.check_model(model, full_check=True)
    onnx.save_model(model, str(version / "model.onnx"))
    write_checksums(folder)
    return folder


def _graph(task: TaskSpec, bias: float) -> onnx.GraphProto:
    size = task.size_px
    weights = np.zeros((task.outputs, 3, 1, 1), np.float32)
    for index in range(task.outputs):
        weights[index, index % 3] = 4.0 + index
    constants = {
        "weights": weights,
        "bias": np.full(task.outputs, bias, np.float32),
        "full": np.array(255, np.float32),
        "scales": np.array([1, 1, STRIDE, STRIDE], np.float32),
        "half": np.array(0.5, np.float32),
    }
    nodes = [
        helper.make_node("Transpose", ["pixels__0"], ["planes"], perm=[0, 3, 1, 2]),
        helper.make_node("Cast", ["planes"], ["levels"], to=TensorProto.FLOAT),
        helper.make_node("Div", ["levels", "full"], ["shares"]),
        helper.make_node("AveragePool", ["shares"], ["coarse"], kernel_shape=[STRIDE] * 2, strides=[STRIDE] * 2),
        helper.make_node("Conv", ["coarse", "weights", "bias"], ["seen"]),
        helper.make_node("Relu", ["seen"], ["bottleneck"]),
        *_answer(task),
    ]
    pixels = helper.make_tensor_value_info("pixels__0", TensorProto.UINT8, ["batch", size, size, 3])
    used = {name for node in nodes for name in node.input}
    held = [numpy_helper.from_array(value, name) for name, value in constants.items() if name in used]
    return helper.make_graph(nodes, "tiny", [pixels], _outputs(task), held)


def _answer(task: TaskSpec) -> list[onnx.NodeProto]:
    if task.kind is Kind.CLASSIFICATION:
        return [
            helper.make_node("ReduceMean", ["bottleneck"], ["logits"], axes=[2, 3], keepdims=0),
            helper.make_node("Softmax", ["logits"], ["probability__0"], axis=1),
        ]
    if task.kind is Kind.BINARY_SEGMENTATION:
        return [
            helper.make_node("Sub", ["bottleneck", "half"], ["logits"]),
            helper.make_node("Sigmoid", ["logits"], ["small"]),
            helper.make_node("Resize", ["small", "", "scales"], ["large"], mode="nearest"),
            helper.make_node("ReduceMax", ["large"], ["plane"], axes=[1], keepdims=0),
            helper.make_node("Mul", ["plane", "full"], ["scaled"]),
            helper.make_node("Cast", ["scaled"], ["probability__0"], to=TensorProto.UINT8),
        ]
    return [
        helper.make_node("Softmax", ["bottleneck"], ["small"], axis=1),
        helper.make_node("Resize", ["small", "", "scales"], ["large"], mode="nearest"),
        helper.make_node("ReduceMax", ["large"], ["plane"], axes=[1], keepdims=0),
        helper.make_node("Mul", ["plane", "full"], ["scaled"]),
        helper.make_node("Cast", ["scaled"], ["probability__1"], to=TensorProto.UINT8),
        helper.make_node("ArgMax", ["large"], ["winner"], axis=1, keepdims=0),
        helper.make_node("Cast", ["winner"], ["mask__0"], to=TensorProto.UINT8),
    ]


def _outputs(task: TaskSpec) -> list[onnx.ValueInfoProto]:
    size = task.size_px
    if task.kind is Kind.CLASSIFICATION:
        return [helper.make_tensor_value_info("probability__0", TensorProto.FLOAT, ["batch", task.outputs])]
    names = ["mask__0", "probability__1"] if task.kind is Kind.SEMANTIC_SEGMENTATION else ["probability__0"]
    return [helper.make_tensor_value_info(name, TensorProto.UINT8, ["batch", size, size]) for name in names]
