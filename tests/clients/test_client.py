import dataclasses
import json
import threading
import time
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from fovea_client import (
    ClassInfo,
    Client,
    InvalidRequestError,
    ModelStatus,
    ServerError,
    ServerUnavailableError,
)
from fovea_client.requests import ConfigRequest, InferResult, ModelConfig

KINDS: dict[str, Callable[[np.ndarray, Path], object]] = {
    "png_bytes": lambda rgb, _: cv2.imencode(".png", rgb[..., ::-1])[1].tobytes(),
    "tiff_bytes": lambda rgb, _: cv2.imencode(".tiff", rgb[..., ::-1])[1].tobytes(),
    "path": lambda rgb, folder: _written(folder / "eye.png", rgb),
    "rgb_array": lambda rgb, _: rgb,
    "rgb_view": lambda rgb, _: np.repeat(rgb, 2, axis=0)[::2],
    "grey_array": lambda rgb, _: rgb[..., 0],
}


def _written(path: Path, rgb: np.ndarray) -> Path:
    cv2.imwrite(str(path), rgb[..., ::-1])
    return path


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_image_arrives_pixel_for_pixel(
    client: Client, picture: np.ndarray, tmp_path: Path, kind: str
) -> None:
    answer = client.segment(KINDS[kind](picture, tmp_path))
    np.testing.assert_array_equal(answer.probability, picture[..., 0])
    np.testing.assert_array_equal(answer.mask, picture[..., 0] > 127)
    assert answer.mask.dtype == answer.probability.dtype == np.uint8


def test_an_answer_says_where_it_comes_from(client: Client, picture: np.ndarray) -> None:
    answer = client.segment(picture)
    assert (answer.task, answer.model_version) == ("vessels", "3")
    assert 0 < answer.elapsed_ms < 5000
    assert "vessel" in repr(answer)
    assert "array" not in repr(answer)
    with pytest.raises(dataclasses.FrozenInstanceError):
        answer.task = "other"
    with pytest.raises(ValueError, match="read-only"):
        answer.mask[0, 0] = 1


def test_classes_are_the_servers_and_asked_once(server, client: Client, picture: np.ndarray) -> None:
    expected = (ClassInfo(0, "background", (0, 0, 0)), ClassInfo(1, "vessel", (255, 0, 0)))
    assert client.segment(picture).classes == expected
    assert client.segment(picture).classes == client.classes("vessels") == expected
    assert server.calls.count("ModelConfig") == 1


def test_a_model_that_is_no_task_says_so(server, client: Client, picture: np.ndarray) -> None:
    del server.parameters["classes"]
    with pytest.raises(InvalidRequestError, match=r"is no task: its config\.pbtxt has no parameter 'classes'"):
        client.segment(picture)


@pytest.mark.parametrize("classes", ["", "{", "[1]", '[{"name": "a"}]', '[{"name": "a", "colour": [1, 2]}]', "5"])
def test_class_parameters_that_cannot_be_read_are_the_servers_error(
    server, client: Client, picture: np.ndarray, classes: str
) -> None:
    server.parameters["classes"] = classes
    with pytest.raises(ServerError, match=r"its parameters cannot be read .* correct its config\.pbtxt"):
        client.segment(picture)


@pytest.mark.parametrize(
    ("outputs", "message"),
    [
        ({"mask": np.zeros((23, 37), np.float32)}, "'mask' is float32 of shape"),
        ({"probability": np.zeros((1, 23, 37), np.uint8)}, r"'probability' is uint8 of shape \(1, 23, 37\)"),
        ({"probability": np.zeros((37, 23), np.uint8)}, "outputs differ in size"),
    ],
)
def test_an_answer_against_the_contract_is_the_servers_error(
    server, client: Client, picture: np.ndarray, outputs: dict[str, np.ndarray], message: str
) -> None:
    server.replaced_outputs = outputs
    with pytest.raises(ServerError, match=message):
        client.segment(picture)


def test_a_task_says_what_it_was_made_from(server, client: Client) -> None:
    assert client.describe().provenance == {}
    server.parameters["provenance"] = '{"weights_sha256": "ab", "metrics": {"dice": 0.79}}'
    with Client(server.address) as another:
        told = another.describe()
    assert told.provenance == {"weights_sha256": "ab", "metrics": {"dice": 0.79}}
    assert told == client.describe()
    assert hash(told) == hash(client.describe())


@pytest.mark.parametrize("provenance", ["{", "[1]", "5"])
def test_provenance_that_cannot_be_read_is_the_servers_error(server, client: Client, provenance: str) -> None:
    server.parameters["provenance"] = provenance
    with pytest.raises(ServerError, match=r"its parameters cannot be read .* correct its config\.pbtxt"):
        client.describe()


def test_infer_returns_the_outputs_that_were_asked_for(client: Client, picture: np.ndarray) -> None:
    inputs = {"image": np.array([cv2.imencode(".png", picture)[1].tobytes()], dtype=object)}
    assert set(client.infer("vessels", inputs)) == {"mask", "probability"}
    assert set(client.infer("vessels", inputs, outputs=["mask"])) == {"mask"}


def test_ready_needs_live_and_ready(server, client: Client) -> None:
    assert client.ready()
    server.ready = False
    assert not client.ready()
    server.live, server.ready = False, True
    assert not client.ready()


@pytest.mark.timing
def test_waiting_ends_when_the_server_becomes_ready(server, client: Client) -> None:
    server.ready = False
    threading.Timer(0.3, lambda: setattr(server, "ready", True)).start()
    started_s = time.monotonic()
    client.wait_until_ready(5)
    assert 0.25 < time.monotonic() - started_s < 1


def test_a_server_that_once_stays_silent_does_not_use_up_the_wait(server, client: Client) -> None:
    server.delays_s["ServerLive"] = 8.0
    threading.Timer(0.3, server.delays_s.clear).start()
    started_s = time.monotonic()
    client.wait_until_ready(15)
    assert time.monotonic() - started_s < 5


@pytest.mark.timing
def test_waiting_in_vain_ends_in_time(server, client: Client) -> None:
    server.ready = False
    started_s = time.monotonic()
    with pytest.raises(ServerUnavailableError, match=r"is not ready after 0\.3 s"):
        client.wait_until_ready(0.3)
    assert 0.3 <= time.monotonic() - started_s < 0.8


def test_models_are_listed_with_their_state(client: Client) -> None:
    models = client.models()
    assert models == [
        ModelStatus("vessels", "1", "READY", ""),
        ModelStatus("broken", "2", "UNAVAILABLE", "no such file"),
        ModelStatus("asleep", "", "", ""),
    ]
    assert [model.ready for model in models] == [True, False, False]


def test_after_closing_a_call_says_so(client: Client, picture: np.ndarray) -> None:
    client.classes()
    client.close()
    client.close()
    with pytest.raises(InvalidRequestError, match="is closed: open a new one"):
        client.segment(picture)


def test_threads_share_a_client(client: Client, picture: np.ndarray) -> None:
    answers: list[np.ndarray] = []
    threads = [threading.Thread(target=lambda: answers.append(client.segment(picture).probability)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(answers) == 8
    assert all(np.array_equal(answer, picture[..., 0]) for answer in answers)


class Canned:
    """A transport of a few lines, as a caller's own test would write it."""

    closed = False

    def send(self, request, *, timeout_s: float, headers=()) -> ModelConfig | InferResult:
        if isinstance(request, ConfigRequest):
            classes = [{"name": name, "colour": [1, 2, 3]} for name in ("none", "all")]
            return ModelConfig(request.model, {"classes": json.dumps(classes)})
        return InferResult(dict.fromkeys(("mask", "probability"), np.ones((2, 3), np.uint8)), "9")

    def close(self) -> None:
        self.closed = True


def test_a_transport_can_be_replaced() -> None:
    transport = Canned()
    with Client("nowhere:1", transport=transport) as client:
        assert client.segment(b"anything").mask.sum() == 6
    assert transport.closed
