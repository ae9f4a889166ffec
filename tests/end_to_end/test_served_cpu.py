"""Profile `cpu`: what the server answers is what OpenVINO answers offline, for every task, alone and in batches."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from doors import Launched
from exported import Exported
from fovea_client import Client
from untrained import drawn_samples

from export.formats import FORMATS
from export.place import place
from tasks import TASKS, Kind, TaskSpec
from tasks.processing import postprocess, postprocess_classes, preprocess

pytestmark = pytest.mark.slow
FORMAT = FORMATS["openvino"]


@pytest.fixture(scope="module")
def placed(
    exported: Callable[[str], Exported], tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, dict[str, Path]]:
    """Every task's quantised network in one release. None was trained: the parity gate is not asked."""
    folder, graphs = tmp_path_factory.mktemp("cpu"), {}
    for name in TASKS:
        artefacts = exported(name).artefacts
        graphs[name] = artefacts["openvino"]
        files = {each: graphs[name].with_name(each) for each in (FORMAT.file_name, *FORMAT.companions)}
        place(name, {"model.onnx": artefacts["onnx"], **files}, {"parity": []}, folder / "model_repository")
    return folder / "model_repository", graphs


@pytest.fixture(scope="module")
def client(placed, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    server = Launched(placed[0], tmp_path_factory.mktemp("serving"), "--profile", "cpu")
    try:
        with Client(server.wait().grpc, timeout_s=60) as connected:
            yield connected
    finally:
        server.stop()


def offline(graph: Path, data: bytes, task: TaskSpec) -> np.ndarray:
    """Return what `ask` must get: probabilities of the classes, or mask and probability (2, height, width)."""
    run = FORMAT.load(graph)
    assert run is not None
    fitted = preprocess(data, task)
    served = [output[0] for output in run(fitted.pixels[None]).served]
    if task.kind is Kind.CLASSIFICATION:
        return np.asarray(served[0])
    shape = postprocess_classes if task.kind is Kind.SEMANTIC_SEGMENTATION else postprocess
    answer = shape(*served, fitted.field_of_view, fitted.geometry, task)
    return np.stack([answer.mask, answer.probability])


def ask(client: Client, data: bytes, task: TaskSpec) -> np.ndarray:
    if task.kind is Kind.CLASSIFICATION:
        return np.array(list(client.classify(data, task=task.name).probability.values()))
    answer = client.segment(data, task=task.name)
    return np.stack([answer.mask, answer.probability])


@pytest.mark.parametrize("name", TASKS)
def test_served_is_what_openvino_answers(client: Client, placed, name: str) -> None:
    task = TASKS[name]
    pictures = [sample.read().encoded for sample in drawn_samples(task, 3, seed=5)]
    expected = [offline(placed[1][name], data, task) for data in pictures]
    assert all(np.ptp(each) > 0.01 for each in expected)
    with ThreadPoolExecutor(6) as pool:
        found = list(pool.map(lambda data: ask(client, data, task), pictures * 2))
    for wanted, got in zip(expected * 2, found, strict=True):
        assert got.shape == wanted.shape
        # Integer sums do not depend on the batch; what FP32 is left may round another way.
        assert (np.abs(got - wanted.astype(float)) > 1e-4).mean() < 0.002
