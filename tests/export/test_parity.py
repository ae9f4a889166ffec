"""The gate lets accurate artefacts pass and refuses perturbed ones: what is planted here must be seen."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from exported import (
    CLASSIFICATION,
    QUANTISED,
    ROUGH,
    SEGMENTATION,
    SEMANTIC,
    every_format,
    every_task,
    material,
    scale_one_weight,
)
from onnx import helper, numpy_helper
from untrained import untrained

from export.comparison import expect
from export.errors import ParityError
from export.formats import FORMATS
from export.parity import require_parity
from tasks.checksums import sha256_of
from training.serving_module import ServingModule

pytestmark = pytest.mark.slow


@every_format
@every_task
def test_written_artefact_passes(exported, task: str, name: str) -> None:
    there = exported(task)
    report = there.reports[name]
    assert report.images == len(report.pictures) == len(there.pictures) > 1
    assert report.sha256 == sha256_of(there.artefacts[name])
    beside = {each: sha256_of(there.artefacts[name].with_name(each)) for each in FORMATS[name].companions}
    assert report.summary()["companions_sha256"] == beside
    assert (name == "openvino") == ("model.bin" in beside)
    if name in QUANTISED:
        assert 1e-4 < report.mean_abs_error < 0.1
        return
    require_parity(report)
    assert report.max_abs_error < (1 if name in ROUGH else 2e-5)
    half = onnx.load_model(str(there.artefacts["onnx_fp16"]))
    kept = there.reports["onnx_fp16"].float_layers
    weights = {item.data_type for item in half.graph.initializer if len(item.dims) == 4}
    assert weights == {onnx.TensorProto.FLOAT16} or kept
    assert sum(node.op_type == "Cast" for node in half.graph.node) <= 4 + 2 * len(kept), "casts only at the edges"


Perturb = Callable[[onnx.ModelProto], None]


def half_precision_weights(model: onnx.ModelProto) -> None:
    """What a conversion to FP16 would leave of the weights, passed off as FP32."""
    for item in model.graph.initializer:
        if len(item.dims) == 4:
            rounded = numpy_helper.to_array(item).astype(np.float16).astype(np.float32)
            item.CopyFrom(numpy_helper.from_array(rounded, item.name))


def without_softmax(model: onnx.ModelProto) -> None:
    """Logits pass for probabilities; the arg-max stays right."""
    node = next(node for node in model.graph.node if node.op_type == "Softmax")
    node.CopyFrom(helper.make_node("Identity", node.input, node.output))


def intercept(model: onnx.ModelProto, index: int) -> str:
    """Call what made an output "true", so that something else may make the output; return the output's name."""
    output = model.graph.output[index].name
    for node in model.graph.node:
        for names in (node.input, node.output):
            for place, name in enumerate(names):
                names[place] = "true" if name == output else name
    return output


def add(model: onnx.ModelProto, *nodes: onnx.NodeProto, **constants: np.ndarray) -> None:
    model.graph.initializer.extend(numpy_helper.from_array(value, name) for name, value in constants.items())
    model.graph.node.extend(nodes)


def clipped_after_rounding(model: onnx.ModelProto) -> None:
    """What is served is wrong although the probability before rounding is right."""
    output = intercept(model, len(model.graph.output) - 1)
    add(model, helper.make_node("Min", ["true", "top"], [output]), top=np.array(140, np.uint8))


def blank_from_the_fifth_row(model: onnx.ModelProto) -> None:
    """Right alone and in small batches, wrong in the batch that is served."""
    last = len(model.graph.output) - 1
    dtype = helper.tensor_dtype_to_np_dtype(model.graph.output[last].type.tensor_type.elem_type)
    output = intercept(model, last)
    add(
        model,
        helper.make_node("Slice", ["true", "start", "five", "axis"], ["first"]),
        helper.make_node("Slice", ["true", "five", "many", "axis"], ["rest"]),
        helper.make_node("Min", ["rest", "nothing"], ["blank"]),
        helper.make_node("Concat", ["first", "blank"], [output], axis=0),
        start=np.array([0]),
        five=np.array([5]),
        many=np.array([1000]),
        axis=np.array([0]),
        nothing=np.array(0, dtype),
    )


def lowest_instead_of_highest(model: onnx.ModelProto) -> None:
    """The wrong arg-max over right probabilities."""
    node = next(node for node in model.graph.node if node.op_type == "ArgMax")
    node.op_type = "ArgMin"


def swapped_classes(model: onnx.ModelProto) -> None:
    """Two classes have each other's index: the values of the mask, or the places of the probabilities."""
    if len(model.graph.output) == 1:
        output = intercept(model, 0)
        add(model, helper.make_node("Gather", ["true", "order"], [output], axis=1), order=np.array([1, 0, 2, 3]))
        return
    output = intercept(model, 0)
    add(
        model,
        helper.make_node("Cast", ["true"], ["index"], to=onnx.TensorProto.INT64),
        helper.make_node("Gather", ["order", "index"], [output]),
        order=np.array([0, 1, 3, 2, 4, 5], np.uint8),
    )


FAULTS = [
    (SEGMENTATION, scale_one_weight),
    (SEGMENTATION, half_precision_weights),
    (SEGMENTATION, clipped_after_rounding),
    (SEGMENTATION, blank_from_the_fifth_row),
    (SEMANTIC, scale_one_weight),
    (SEMANTIC, without_softmax),
    (SEMANTIC, lowest_instead_of_highest),
    (SEMANTIC, swapped_classes),
    (SEMANTIC, clipped_after_rounding),
    (SEMANTIC, blank_from_the_fifth_row),
    (CLASSIFICATION, scale_one_weight),
    (CLASSIFICATION, without_softmax),
    (CLASSIFICATION, swapped_classes),
    (CLASSIFICATION, blank_from_the_fifth_row),
]


@pytest.mark.parametrize(("task", "perturb"), FAULTS, ids=lambda value: getattr(value, "__name__", value))
def test_perturbed_onnx_is_refused(exported, tmp_path: Path, task: str, perturb: Perturb) -> None:
    there = exported(task)
    model = onnx.load_model(str(there.artefacts["onnx"]))
    perturb(model)
    onnx.save_model(model, str(tmp_path / "model.onnx"))
    report = there.measure("onnx", tmp_path / "model.onnx")
    with pytest.raises(ParityError, match="onnx is not placed"):
        require_parity(report)


@pytest.mark.parametrize(("task", "perturb"), [(SEMANTIC, swapped_classes), (SEMANTIC, lowest_instead_of_highest)])
def test_wrong_classes_show_in_agreement_and_quality_alone(
    exported, tmp_path: Path, task: str, perturb: Perturb
) -> None:
    there = exported(task)
    model = onnx.load_model(str(there.artefacts["onnx"]))
    perturb(model)
    onnx.save_model(model, str(tmp_path / "model.onnx"))
    report = there.measure("onnx", tmp_path / "model.onnx")
    assert report.max_abs_error < 1e-4
    assert report.disagreement > 0.1
    assert report.figure == "mean_iou"
    assert report.quality_difference > 0.1


@every_format
def test_truncated_file_is_refused(exported, tmp_path: Path, name: str) -> None:
    there = exported(CLASSIFICATION)
    path = tmp_path / FORMATS[name].file_name
    path.write_bytes(there.artefacts[name].read_bytes()[:-5000])
    for companion in FORMATS[name].companions:
        path.with_name(companion).write_bytes(there.artefacts[name].with_name(companion).read_bytes())
    with pytest.raises(ParityError, match="cannot be run"):
        there.measure(name, path)


@every_task
def test_other_networks_torchscript_is_refused(exported, tmp_path: Path, task: str) -> None:
    there = exported(task)
    other = untrained(there.task, seed=1)
    assert there.measure("torchscript", there.artefacts["torchscript"]).passed
    FORMATS["torchscript"].write(material(other, there.task), tmp_path / "model.pt")
    with pytest.raises(ParityError, match="not placed"):
        require_parity(there.measure("torchscript", tmp_path / "model.pt"))


@every_task
def test_artefact_that_answers_nan_is_refused(exported, tmp_path: Path, task: str) -> None:
    there = exported(task)
    other = untrained(there.task)
    with torch.no_grad():
        next(other.network.parameters()).fill_(float("nan"))
    FORMATS["torchscript"].write(material(other, there.task), tmp_path / "model.pt")
    assert not there.measure("torchscript", tmp_path / "model.pt").passed


def test_calibration_is_part_of_the_artefact(exported) -> None:
    """Without it the answers differ: the calibrated module passes, the same network without calibration does not."""
    there = exported(CLASSIFICATION)
    module = ServingModule(there.module.network, there.task).eval()
    plain = replace(there, module=module, expected=expect(module, there.pictures, there.task))
    assert not plain.measure("onnx", there.artefacts["onnx"]).passed
