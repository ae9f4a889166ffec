"""INT8 of a trained network: what is quantised, for whom, and that it is worth having."""

import os
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from export.artefact import Material, Pixels
from export.config import ExportConfig
from export.errors import ExportError
from export.export import export
from export.formats import FORMATS
from export.onnx import layer_names
from export.place import verify
from tasks import get_task
from tasks.processing import preprocess
from training.sources import read_samples
from training.synthetic import write_dataset
from training.weights import load_serving_module

pytestmark = pytest.mark.slow
VESSELS = get_task("vessels")
SHIPPED = Path(__file__).parents[2] / "weights" / "vessels"
CHASE_DB1 = Path(__file__).parents[3] / "shared" / "data" / "chase_db1"
QUANTISED = ("onnx_int8", "openvino")


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> Material:
    """The shipped network, and drawn retinas to calibrate on."""
    root = write_dataset(tmp_path_factory.mktemp("retinas"), subjects=3, seed=3, size_px=512)
    samples = read_samples(root, VESSELS)
    module, _ = load_serving_module(SHIPPED)

    def learnt() -> list[Pixels]:
        return [preprocess(sample.read().encoded, VESSELS).pixels for sample in samples]

    return Material(module, VESSELS, {"task": "vessels"}, learnt)


@pytest.fixture(scope="module")
def written(drawn, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("written")
    for name in ("onnx", *QUANTISED):
        FORMATS[name].write(drawn, folder / FORMATS[name].file_name)
    return folder


@pytest.mark.parametrize("name", QUANTISED)
def test_quantised_file_is_small_and_answers_alike(written, drawn, name: str) -> None:
    names = (FORMATS[name].file_name, *FORMATS[name].companions)
    size = sum((written / each).stat().st_size for each in names if not each.endswith(".xml"))
    assert size < (written / "model.onnx").stat().st_size / 2
    run, whole = (FORMATS[each].load(written / FORMATS[each].file_name) for each in (name, "onnx"))
    picture = drawn.calibration()[0][None]
    difference = np.abs(run(picture).probability - whole(picture).probability)
    assert 1e-5 < difference.mean() < 0.02


@pytest.mark.skipif(not CHASE_DB1.is_dir(), reason="CHASE_DB1 is not here")
def test_release_of_the_shipped_network_on_real_pictures(tmp_path: Path) -> None:
    """Every format that this machine can run is within its budget, and most layers are quantised."""
    formats = ["torchscript", "onnx", "onnx_fp16", "onnx_int8", "openvino", "tensorrt"]
    config = ExportConfig(
        model=str(SHIPPED),
        pictures=str(CHASE_DB1),
        calibration=str(CHASE_DB1),
        formats=formats,
        to=str(tmp_path / "model_repository"),
        work=str(tmp_path / "work"),
    )
    placed = export(config, lambda _: None)
    made = verify(placed.release)["tasks"]["vessels"]
    assert made["formats"] == formats
    reports = {report["format"]: report for report in made["parity"]}
    assert set(reports) == set(formats) - {"tensorrt"}, "no plan without a GPU, and no figure of one"
    layers = layer_names(tmp_path / "work" / "vessels" / "model.onnx")
    for report in reports.values():
        assert report["passed"]
        assert report["images"] >= 32
        assert len(report["float_layers"]) <= len(layers) / 2
    network = placed.release / "vessels_network" / "1"
    expected = {
        "model.pt",
        "model.onnx",
        "model.fp16.onnx",
        "model.int8.onnx",
        "model.xml",
        "model.bin",
        "build_plan.sh",
    }
    assert {path.name for path in network.iterdir()} == expected
    assert os.access(network / "build_plan.sh", os.X_OK)
    assert (tmp_path / "work" / "vessels" / "parity.html").stat().st_size > 100_000


def test_quantised_onnx_is_what_tensorrt_takes(written) -> None:
    """Signed, symmetric, one scale a channel of a weight, no quantised bias."""
    graph = onnx.load_model(str(written / "model.int8.onnx")).graph
    values = {item.name: numpy_helper.to_array(item) for item in graph.initializer}
    pairs = [node for node in graph.node if node.op_type in ("QuantizeLinear", "DequantizeLinear")]
    assert len(pairs) > 20
    for node in pairs:
        assert values[node.input[2]].dtype == np.int8
        assert not values[node.input[2]].any()
    weights = [node for node in pairs if node.input[0] in values]
    assert {values[node.input[0]].ndim for node in weights} == {4}
    assert all(len(values[node.input[1]]) == len(values[node.input[0]]) for node in weights)


def test_layers_that_stay_float_are_told(written) -> None:
    layers = layer_names(written / "model.onnx")
    told = {entry.key: entry.value for entry in onnx.load_model(str(written / "model.int8.onnx")).metadata_props}
    assert set(told["float_layers"].split()) <= set(layers)
    assert layers[0] in (written / "model.xml").read_text().partition("<fovea>")[2], "its first layer stays float"


@pytest.mark.parametrize("name", QUANTISED)
def test_nothing_is_quantised_without_pictures(drawn, tmp_path: Path, name: str) -> None:
    material = Material(drawn.module, VESSELS, {}, list)
    FORMATS["onnx"].write(material, tmp_path / "model.onnx")
    with pytest.raises(ExportError, match="needs pictures to calibrate on, and there are none"):
        FORMATS[name].write(material, tmp_path / FORMATS[name].file_name)
    assert not (tmp_path / FORMATS[name].file_name).exists()


def test_quantiser_reports_to_nobody() -> None:
    """NNCF would tell its makers of every call."""
    from unittest.mock import MagicMock

    from export.openvino import _nncf

    _nncf()
    from nncf.telemetry import telemetry

    assert isinstance(telemetry, MagicMock) or telemetry is MagicMock
