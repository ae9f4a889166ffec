"""A task that classifies: label and probabilities as the server names them, and nothing else passes for them."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from fovea_client import Client, InvalidImageError, InvalidRequestError, ServerError
from fovea_client.cli import main
from grpc import StatusCode

NAMES = ("cataract", "glaucoma", "normal")


@pytest.fixture
def classifier(server):
    """The fake server, answering as a classification task under the name that it knows."""
    server.parameters["kind"] = "classification"
    server.parameters["classes"] = json.dumps([{"name": name, "colour": [1, 2, 3]} for name in NAMES])
    server.replaced_outputs = {"label": np.array([1], np.int32), "probability": np.array([0.1, 0.7, 0.2], np.float32)}
    return server


def test_label_and_probabilities_have_the_servers_names(classifier, client: Client, picture: np.ndarray) -> None:
    answer = client.classify(picture, task="vessels")
    assert (answer.label, answer.index) == ("glaucoma", 1)
    assert answer.probability == pytest.approx({"cataract": 0.1, "glaucoma": 0.7, "normal": 0.2})
    assert (answer.task, answer.model_version) == ("vessels", "3")
    assert 0 < answer.elapsed_ms < 5000


def test_methods_refuse_tasks_of_the_other_kind(server, client: Client, picture: np.ndarray) -> None:
    with pytest.raises(InvalidRequestError, match=r"'vessels' answers with masks: call segment\(\)"):
        client.classify(picture, task="vessels")
    assert "ModelInfer" not in server.calls


def test_segment_refuses_a_classification(classifier, client: Client, picture: np.ndarray) -> None:
    with pytest.raises(InvalidRequestError, match=r"'vessels' answers with a label: call classify\(\)"):
        client.segment(picture)
    assert "ModelInfer" not in classifier.calls


@pytest.mark.parametrize(
    ("outputs", "message"),
    [
        ({"label": np.array([3], np.int32)}, "label 3 names none of its 3 classes"),
        ({"label": np.array([-1], np.int32)}, "label -1 names none"),
        ({"label": np.array([1], np.uint8)}, "'label' is uint8"),
        ({"probability": np.array([0.5, 0.5], np.float32)}, r"'probability' is float32 of shape \(2,\)"),
        ({"probability": np.zeros((23, 37), np.uint8)}, "expected float32"),
    ],
)
def test_an_answer_against_the_contract_is_the_servers_error(
    classifier, client: Client, picture: np.ndarray, outputs: dict[str, np.ndarray], message: str
) -> None:
    classifier.replaced_outputs |= outputs
    with pytest.raises(ServerError, match=message):
        client.classify(picture, task="vessels")


def test_a_refused_image_is_the_images_error(classifier, client: Client) -> None:
    with pytest.raises(InvalidImageError, match="this is no image"):
        client.classify(b"not an image", task="vessels")


def test_a_missing_label_is_the_servers_error(classifier, client: Client, picture: np.ndarray) -> None:
    del classifier.replaced_outputs["label"]
    with pytest.raises(ServerError, match="'label' is missing"):
        client.classify(picture, task="vessels")


def test_command_prints_a_line_for_each_image(classifier, picture: np.ndarray, tmp_path: Path, capsys) -> None:
    good, bad = tmp_path / "eye.png", tmp_path / "notes.png"
    cv2.imwrite(str(good), picture)
    bad.write_text("not an image")
    options = ["--url", classifier.address, "--task", "vessels"]
    assert main(["classify", str(good), *options]) == 0
    assert f"[1/1] {good}: glaucoma (cataract 0.100, glaucoma 0.700, normal 0.200) in " in capsys.readouterr().out
    assert main(["classify", str(good), str(bad), *options]) == 1
    captured = capsys.readouterr()
    assert "[1/2]" in captured.out
    assert "this is no image" in captured.err
    assert captured.err.endswith("1 of 2 images failed\n")


def test_command_says_a_wrong_task_once(classifier, tmp_path: Path, capsys) -> None:
    classifier.faults["ModelConfig"] = (StatusCode.NOT_FOUND, "Request for unknown model: 'x' is not found")
    assert main(["classify", "a.png", "b.png", "--url", classifier.address]) == 1
    assert len(capsys.readouterr().err.splitlines()) == 1
