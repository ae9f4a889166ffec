import pickle
import socket
import time
from pathlib import Path

import numpy as np
import pytest
from fovea_client import (
    Client,
    DeadlineExceededError,
    FoveaError,
    InvalidImageError,
    InvalidRequestError,
    ModelNotFoundError,
    ServerError,
    ServerUnavailableError,
)
from grpc import RpcError, StatusCode

ANY_INPUT = {"image": np.array([b"x"], dtype=object)}
UNKNOWN = "Request for unknown model: 'vessels' is not found"
DRAINING = "Request for unknown model: 'vessels' has no available versions"
MAPPED = [
    (StatusCode.INVALID_ARGUMENT, "unexpected shape", InvalidRequestError),
    (StatusCode.NOT_FOUND, "no such thing", ModelNotFoundError),
    (StatusCode.NOT_FOUND, UNKNOWN, ModelNotFoundError),
    (StatusCode.UNAVAILABLE, UNKNOWN, ModelNotFoundError),
    (StatusCode.INVALID_ARGUMENT, UNKNOWN, ModelNotFoundError),
    (StatusCode.UNAVAILABLE, "Exceeds maximum queue size", ServerUnavailableError),
    (StatusCode.NOT_FOUND, DRAINING, ServerUnavailableError),
    (StatusCode.UNAVAILABLE, DRAINING, ServerUnavailableError),
    (StatusCode.DEADLINE_EXCEEDED, "Request timeout expired", DeadlineExceededError),
    (StatusCode.INTERNAL, "CUDA out of memory", ServerError),
    (StatusCode.UNIMPLEMENTED, "", ServerError),
    (StatusCode.RESOURCE_EXHAUSTED, "message too large", ServerError),
]


@pytest.mark.parametrize(("status", "message", "kind"), MAPPED)
def test_every_status_has_its_error(server, client: Client, status, message: str, kind: type[FoveaError]) -> None:
    server.faults["ModelInfer"] = (status, message)
    with pytest.raises(kind) as caught:
        client.infer("vessels", ANY_INPUT)
    error = caught.value
    assert type(error) is kind
    assert (error.model, error.server_message, error.status) == ("vessels", message, status.name)
    assert f"model 'vessels' at {server.address}: {message or 'no message'} ({status.name}); " in str(error)
    assert str(error).endswith(kind.advice)
    assert isinstance(error.__cause__, RpcError)


def test_a_picture_that_the_server_refuses_is_an_image_error(client: Client, tmp_path: Path) -> None:
    path = tmp_path / "notes.png"
    path.write_text("not an image")
    for image, name in [(path, str(path)), (b"not an image", "image of 12 bytes")]:
        with pytest.raises(InvalidImageError) as caught:
            client.segment(image)
        assert str(caught.value).startswith(f"{name}: refused by model 'vessels' at 127.0.0.1:")
        assert str(caught.value).endswith(": in ensemble 'vessels', this is no image")
        assert caught.value.model == "vessels"
        assert caught.value.server_message == "in ensemble 'vessels', this is no image"


def test_an_unknown_task_is_not_found(client: Client, picture: np.ndarray) -> None:
    with pytest.raises(ModelNotFoundError, match=r"model 'roads' at .*`fovea models` lists what it has"):
        client.segment(picture, task="roads")


@pytest.mark.parametrize("call", ["config", "index"])
def test_calls_about_the_server_are_mapped_too(server, client: Client, call: str) -> None:
    method, ask = {"config": ("ModelConfig", client.classes), "index": ("RepositoryIndex", client.models)}[call]
    server.faults[method] = (StatusCode.INTERNAL, "oh")
    with pytest.raises(ServerError, match="oh"):
        ask()


def test_a_failing_readiness_question_is_no_answer(server, client: Client) -> None:
    server.faults["ServerReady"] = (StatusCode.UNAVAILABLE, "starting")
    assert not client.ready()
    server.faults["ServerReady"] = (StatusCode.INTERNAL, "broken")
    with pytest.raises(ServerError, match="broken"):
        client.ready()


@pytest.mark.timing
@pytest.mark.parametrize("slow", ["ModelInfer", "ModelConfig"])
def test_the_deadline_is_kept(server, client: Client, picture: np.ndarray, slow: str) -> None:
    server.delays_s[slow] = 30
    started_s = time.monotonic()
    with pytest.raises(DeadlineExceededError, match="timeout_s") as caught:
        client.segment(picture, timeout_s=0.4)
    assert 0.35 < time.monotonic() - started_s < 0.9
    assert caught.value.model == "vessels"


@pytest.mark.timing
def test_the_deadline_is_for_all_requests_of_a_call_together(server, client: Client, picture: np.ndarray) -> None:
    server.delays_s = {"ModelConfig": 0.4, "ModelInfer": 0.4}
    started_s = time.monotonic()
    with pytest.raises(DeadlineExceededError):
        client.segment(picture, timeout_s=0.6)
    assert time.monotonic() - started_s < 0.75


def test_the_clients_own_deadline_holds_where_a_call_brings_none(server, picture: np.ndarray) -> None:
    server.delays_s = dict.fromkeys(("ModelInfer", "RepositoryIndex", "ServerLive"), 30)
    with Client(server.address, timeout_s=0.2) as client:
        for ask in (lambda: client.segment(picture), lambda: client.infer("vessels", ANY_INPUT), client.models):
            with pytest.raises(DeadlineExceededError):
                ask()
        assert not client.ready()


@pytest.mark.parametrize("timeout_s", [0, -1, float("nan"), float("inf")])
def test_a_deadline_that_is_none_is_refused(client: Client, picture: np.ndarray, timeout_s: float) -> None:
    with pytest.raises(InvalidRequestError, match="number of seconds above 0"):
        client.segment(picture, timeout_s=timeout_s)
    with pytest.raises(InvalidRequestError, match="number of seconds above 0"):
        client.infer("vessels", ANY_INPUT, timeout_s=timeout_s)


def test_nobody_at_the_address_shows_at_once(picture: np.ndarray) -> None:
    with socket.socket() as bound:
        # Bound but not listening: the port stays ours and refuses.
        bound.bind(("127.0.0.1", 0))
        with Client(f"127.0.0.1:{bound.getsockname()[1]}", timeout_s=30) as client:
            started_s = time.monotonic()
            assert not client.ready()
            with pytest.raises(ServerUnavailableError, match="check that the server runs"):
                client.segment(picture)
            with pytest.raises(ServerUnavailableError):
                client.wait_until_ready(0.3)
            assert time.monotonic() - started_s < 3


def test_errors_survive_another_process() -> None:
    pickled = pickle.dumps(ModelNotFoundError("m", model="vessels", server_message="s"))
    error = pickle.loads(pickled)  # noqa: S301 - our own bytes
    assert (str(error), error.model, error.server_message) == ("m", "vessels", "s")
