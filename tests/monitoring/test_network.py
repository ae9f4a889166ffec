"""The network on plain pictures: its answers are the release's, its embedding is the pooled deepest map."""

from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx_release import STRIDE, onnx_release

from monitoring.network import Network
from monitoring.pictures import figures_of
from tasks import TASKS, Kind, TaskSpec
from tasks.processing import prepare


@pytest.fixture(params=TASKS.values(), ids=lambda task: task.name)
def task(request: pytest.FixtureRequest) -> TaskSpec:
    return request.param


def test_it_answers_as_the_file_does_and_pools_the_bottleneck(task: TaskSpec, tmp_path: Path) -> None:
    release = onnx_release(tmp_path / "release", task)
    network = Network(release, task)
    assert network.layer == "bottleneck"
    pixels = np.random.default_rng(0).integers(0, 256, (task.size_px, task.size_px, 3), np.uint8)
    answer = network.answer(pixels)
    model = onnx.load_model(str(release / f"{task.name}_network" / "1" / "model.onnx"))
    model.graph.output.append(onnx.helper.make_tensor_value_info("bottleneck", onnx.TensorProto.FLOAT, None))
    *served, bottleneck = onnxruntime.InferenceSession(model.SerializeToString()).run(None, {"pixels__0": pixels[None]})
    assert (answer.probability == served[-1][0]).all()
    assert (answer.classes is None) == (task.kind is not Kind.SEMANTIC_SEGMENTATION)
    assert bottleneck.shape[2] == task.size_px // STRIDE
    assert answer.embedding == pytest.approx(bottleneck[0].mean(axis=(1, 2)), rel=1e-4)


def test_a_picture_becomes_one_row_of_finite_figures(task: TaskSpec, tmp_path: Path) -> None:
    network = Network(onnx_release(tmp_path / "release", task), task)
    picture = np.random.default_rng(1).integers(0, 256, (80, 120, 3), np.uint8)
    fitted = prepare(picture, task)
    row = figures_of(fitted, network.answer(fitted.pixels), task)
    assert len(row) == 1
    assert all(np.isfinite(column).all() for column in vars(row).values())
    assert row.input[0, :2].tolist() == [120, 80]
    assert (row.label[0] >= 0) == (task.kind is Kind.CLASSIFICATION)


def test_the_file_stays_as_it_is(tmp_path: Path) -> None:
    task = TASKS["eye_disease"]
    release = onnx_release(tmp_path / "release", task)
    before = Network(release, task).release
    assert Network(release, task).release == before
