"""The gate lets accurate artefacts pass and refuses perturbed ones: what is planted here must be seen."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from doors import door
from onnx import numpy_helper

from export.artefact import INPUT_NAME, OUTPUT_NAME
from export.errors import ParityError
from export.formats import FORMATS
from export.parity import Picture, fit_picture, measure_parity, require_parity
from tasks import get_task
from tasks.held_out import read_held_out
from training.serving_module import ServingModule
from training.weights import load_network

pytestmark = pytest.mark.slow
every_format = pytest.mark.parametrize("name", FORMATS)
VESSELS = get_task("vessels")


@pytest.fixture(scope="module")
def module(stages) -> ServingModule:
    return ServingModule(load_network(stages.model)[0])


@pytest.fixture(scope="module")
def pictures(stages) -> list[Picture]:
    return [fit_picture(picture, VESSELS) for picture in read_held_out(stages.model)]


def artefact(stages, name: str) -> Path:
    return stages.work / "vessels" / FORMATS[name].file_name


@every_format
def test_written_artefact_passes(stages, module, pictures, name: str) -> None:
    report = measure_parity(name, FORMATS[name], artefact(stages, name), module, pictures, VESSELS)
    assert report.images == len(pictures) > 1
    assert report.max_abs_error < 1e-4
    require_parity(report)


@every_format
def test_quantised_answer_is_the_rounded_probability(stages, pictures, name: str) -> None:
    answer = FORMATS[name].load(artefact(stages, name))(pictures[0].fitted.pixels[None])
    assert answer.quantised.dtype == np.uint8
    assert answer.quantised.shape == (1, VESSELS.size_px, VESSELS.size_px)
    assert np.array_equal(answer.quantised, np.rint(answer.probability * 255).astype(np.uint8))
    assert answer.quantised.max() > 127, "the network of the tests must find something, or they compare nothing"


def scale_one_weight(source: Path, target: Path) -> None:
    """One convolution in the middle is 2 % off."""
    model = onnx.load_model(str(source))
    weight = [item for item in model.graph.initializer if len(item.dims) == 4][3]
    weight.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(weight) * np.float32(1.02), weight.name))
    onnx.save_model(model, str(target))


def half_precision_weights(source: Path, target: Path) -> None:
    """What a conversion to FP16 would leave of the weights, passed off as FP32."""
    model = onnx.load_model(str(source))
    for item in model.graph.initializer:
        if len(item.dims) == 4:
            rounded = numpy_helper.to_array(item).astype(np.float16).astype(np.float32)
            item.CopyFrom(numpy_helper.from_array(rounded, item.name))
    onnx.save_model(model, str(target))


def clipped_after_the_sigmoid(source: Path, target: Path) -> None:
    """What is served is wrong although the probability before rounding is right."""
    model = onnx.load_model(str(source))
    last = next(node for node in model.graph.node if OUTPUT_NAME in node.output)
    last.output[0] = "unclipped"
    model.graph.initializer.append(numpy_helper.from_array(np.array(140, np.uint8), "ceiling"))
    model.graph.node.append(onnx.helper.make_node("Min", ["unclipped", "ceiling"], [OUTPUT_NAME]))
    onnx.save_model(model, str(target))


def blank_from_the_fifth_row(source: Path, target: Path) -> None:
    """Right alone and in small batches, wrong in the batch that is served."""
    model = onnx.load_model(str(source))
    last = next(node for node in model.graph.node if OUTPUT_NAME in node.output)
    last.output[0] = "all_rows"
    for name, value in (("zero", [0]), ("five", [5]), ("many", [1000]), ("axis", [0])):
        model.graph.initializer.append(numpy_helper.from_array(np.array(value, np.int64), name))
    model.graph.initializer.append(numpy_helper.from_array(np.array(0, np.uint8), "nothing"))
    make = onnx.helper.make_node
    model.graph.node.extend(
        [
            make("Slice", ["all_rows", "zero", "five", "axis"], ["first"]),
            make("Slice", ["all_rows", "five", "many", "axis"], ["rest"]),
            make("Min", ["rest", "nothing"], ["blank"]),
            make("Concat", ["first", "blank"], [OUTPUT_NAME], axis=0),
        ]
    )
    onnx.save_model(model, str(target))


def truncated(source: Path, target: Path) -> None:
    target.write_bytes(source.read_bytes()[:-5000])


@pytest.mark.parametrize(
    "perturb",
    [scale_one_weight, half_precision_weights, clipped_after_the_sigmoid, blank_from_the_fifth_row, truncated],
)
def test_perturbed_onnx_is_refused(stages, module, pictures, tmp_path: Path, perturb: Callable) -> None:
    perturb(artefact(stages, "onnx"), tmp_path / "model.onnx")
    with pytest.raises(ParityError, match="onnx"):
        require_parity(measure_parity("onnx", FORMATS["onnx"], tmp_path / "model.onnx", module, pictures, VESSELS))


def test_other_networks_torchscript_is_refused(stages, module, pictures, tmp_path: Path) -> None:
    other = load_network(stages.model)[0]
    with torch.no_grad():
        other.head[0].bias += 0.01
    FORMATS["torchscript"].write(ServingModule(other), VESSELS, {}, tmp_path / "model.pt")
    report = measure_parity("torchscript", FORMATS["torchscript"], tmp_path / "model.pt", module, pictures, VESSELS)
    with pytest.raises(ParityError, match="not placed"):
        require_parity(report)


def test_artefact_that_answers_nan_is_refused(stages, module, pictures, tmp_path: Path) -> None:
    other = load_network(stages.model)[0]
    with torch.no_grad():
        other.head[0].bias += float("nan")
    FORMATS["torchscript"].write(ServingModule(other), VESSELS, {}, tmp_path / "model.pt")
    report = measure_parity("torchscript", FORMATS["torchscript"], tmp_path / "model.pt", module, pictures, VESSELS)
    assert not report.passed


def test_refusal_keeps_the_old_release(stages, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A writer that goes wrong: the command refuses, says why, and what was placed stays placed."""
    from dataclasses import replace

    from export.config import ExportConfig
    from export.export import export

    to = tmp_path / "model_repository"
    config = ExportConfig(model=str(stages.model), formats=["torchscript"], to=str(to), work=str(tmp_path / "work"))
    placed = export(config, lambda _: None)

    def wrong(network, task, metadata, path):
        with torch.no_grad():
            network.network.head[0].bias += 0.5
        FORMATS_BEFORE.write(network, task, metadata, path)
        with torch.no_grad():
            network.network.head[0].bias -= 0.5

    FORMATS_BEFORE = FORMATS["torchscript"]  # noqa: N806
    monkeypatch.setitem(FORMATS, "torchscript", replace(FORMATS_BEFORE, write=wrong))
    with pytest.raises(ParityError, match="torchscript is not placed"):
        export(config, lambda _: None)
    assert to.resolve() == placed
    assert not json.loads((tmp_path / "work" / "vessels" / "parity.json").read_text())[0]["passed"]
    assert [path.name for path in placed.parent.iterdir()] == [placed.name]


def test_onnx_is_one_clean_file(stages) -> None:
    path = artefact(stages, "onnx")
    model = onnx.load_model(str(path))
    assert [item.name for item in model.graph.input] == [INPUT_NAME]
    assert [item.name for item in model.graph.output] == [OUTPUT_NAME]
    assert model.graph.input[0].type.tensor_type.shape.dim[0].dim_param == "batch"
    assert {entry.key for entry in model.metadata_props} >= {"task", "classes", "data_digest", "code_revision"}
    assert str(Path(__file__).parents[2]).encode() not in path.read_bytes(), "no path of the machine that exported it"
    assert not list(path.parent.glob("*.data"))


def test_same_model_gives_the_same_release(stages, tmp_path: Path) -> None:
    """Exported once more by another process: every byte is equal, so the content's digest is."""
    again = tmp_path / "model_repository"
    result = door("export", f"model={stages.model}", f"to={again}", f"work={tmp_path / 'work'}")
    assert result.returncode == 0, result.stdout + result.stderr
    assert again.resolve().name == stages.repository.resolve().name


def test_model_folder_without_pictures_is_refused(stages, tmp_path: Path) -> None:
    shutil.copytree(stages.model, tmp_path / "model")
    shutil.rmtree(tmp_path / "model" / "held_out")
    result = door("export", f"model={tmp_path / 'model'}", f"to={tmp_path / 'to'}", f"work={tmp_path / 'work'}")
    assert result.returncode == 1
    assert "no held-out pictures" in result.stdout
    assert not (tmp_path / "to").exists()
