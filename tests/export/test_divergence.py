"""Where an artefact diverges: its layers are found by name, and those that hurt stay FP32."""

import copy
from pathlib import Path

import onnx
import pytest
import torch
from exported import ROUGH, SEGMENTATION, agreed, every_format, every_task, material, scale_one_weight
from untrained import drawn_samples, untrained

from export.comparison import expect
from export.divergence import describe, layer_errors, layer_names
from export.export import write_and_measure
from export.formats import FORMATS
from export.onnx import onnx_layers
from export.parity import require_parity
from export.torchscript import torchscript_layers, write_torchscript
from tasks import TASKS

pytestmark = pytest.mark.slow


@every_format
@every_task
def test_layers_are_those_of_the_source(exported, task: str, name: str) -> None:
    there = exported(task)
    ask = FORMATS[name].layers
    assert ask is not None
    picture = there.pictures[0].fitted.pixels
    errors = layer_errors(there.module, ask(there.artefacts[name], picture), picture)
    modules = dict(there.module.network.named_modules())
    assert len(errors) > 3
    assert {error.layer for error in errors} <= set(modules)
    assert max(error.relative for error in errors) < (1.0 if name in ROUGH else 1e-4)


def test_report_names_the_layer_that_diverges(exported, tmp_path: Path) -> None:
    """One weight is off: the layers before it agree, and the report says which one does not."""
    there = exported(SEGMENTATION)
    model = onnx.load_model(str(there.artefacts["onnx"]))
    scale_one_weight(model)
    onnx.save_model(model, str(tmp_path / "model.onnx"))
    third = [node.name for node in model.graph.node if node.op_type == "Conv"][2]
    picture = there.pictures[0].fitted.pixels
    errors = layer_errors(there.module, onnx_layers(tmp_path / "model.onnx", picture), picture)
    assert f"the first layer that diverges is {third}," in describe(errors, FORMATS["onnx"].budget.layer_error)


def test_report_names_the_layer_of_a_torchscript_file(exported, tmp_path: Path) -> None:
    there = exported(SEGMENTATION)
    picture = there.pictures[0].fitted.pixels
    third = layer_names(there.module, picture)[2]
    wrong = copy.deepcopy(there.module)
    with torch.no_grad():
        wrong.network.get_submodule(third).weight.mul_(1.02)
    write_torchscript(material(wrong, TASKS[SEGMENTATION]), tmp_path / "model.pt")
    errors = layer_errors(there.module, torchscript_layers(tmp_path / "model.pt", picture), picture)
    assert f"the first layer that diverges is {third}," in describe(errors, FORMATS["torchscript"].budget.layer_error)


def test_layers_that_cannot_be_told_apart_are_none(exported, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A layer that runs twice, or one that freezing dropped: another number than the network's."""
    there = exported(SEGMENTATION)
    monkeypatch.setattr("export.torchscript.layer_names", lambda *_: ["one"])
    write_torchscript(material(there.module, TASKS[SEGMENTATION]), tmp_path / "model.pt")
    assert torchscript_layers(tmp_path / "model.pt", there.pictures[0].fitted.pixels) == {}


def test_report_says_if_no_layer_diverges(exported, tmp_path: Path) -> None:
    there = exported(SEGMENTATION)
    picture = there.pictures[0].fitted.pixels
    errors = layer_errors(there.module, onnx_layers(there.artefacts["onnx"], picture), picture)
    assert "lies behind the last one, head.0" in describe(errors, FORMATS["onnx"].budget.layer_error)


def test_layers_that_overflow_in_half_precision_stay_float(tmp_path: Path) -> None:
    """An activation above 65,504 is infinite in FP16; islands of FP32 around it save the artefact."""
    task = TASKS[SEGMENTATION]
    module = untrained(task)
    first, second = [layer for layer in module.network.modules() if isinstance(layer, torch.nn.BatchNorm2d)][:2]
    with torch.no_grad():
        first.weight *= 3e6
        first.bias *= 3e6
        second.running_mean *= 3e6
        second.running_var *= 3e6**2
    pictures = [agreed(sample, module, task) for sample in drawn_samples(task, seed=1)]
    expected, said = expect(module, pictures, task), []
    write_and_measure("onnx", material(module, task), tmp_path, expected, said.append)
    report = write_and_measure("onnx_fp16", material(module, task), tmp_path, expected, said.append)
    assert report is not None
    require_parity(report)
    assert "stem.0" in report.float_layers
    assert any("layers in FP32" in line for line in said)
