"""The asyncio client: the operations are tested through `Client`; here is what waiting differently must not change."""

import asyncio
import json
import os
import threading
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from fovea_client import (
    AsyncClient,
    Client,
    DeadlineExceededError,
    InvalidImageError,
    InvalidRequestError,
    Retry,
    ServerUnavailableError,
)
from fovea_client.requests import ConfigRequest, InferResult, ModelConfig
from grpc import StatusCode


def asked(server, ask: Callable[[AsyncClient], Awaitable[Any]], **options: Any) -> Any:
    """What `ask` returns with a client that is opened and closed around it."""

    async def main() -> Any:
        async with AsyncClient(server.address, timeout_s=5, **options) as client:
            return await ask(client)

    return asyncio.run(main())


def test_it_answers_as_the_blocking_client_does(server, client: Client, picture: np.ndarray) -> None:
    answer = asked(server, lambda async_client: async_client.segment(picture))
    same = client.segment(picture)
    np.testing.assert_array_equal(answer.mask, same.mask)
    np.testing.assert_array_equal(answer.probability, same.probability)
    assert (answer.classes, answer.model_version, answer.task) == (same.classes, "3", "vessels")
    inputs = {"image": np.array([cv2.imencode(".png", picture)[1].tobytes()], dtype=object)}
    assert set(asked(server, lambda c: c.infer("vessels", inputs, outputs=["mask"]))) == {"mask"}
    assert asked(server, lambda c: c.models()) == client.models()
    assert asked(server, lambda c: c.describe()) == client.describe()
    assert asked(server, lambda c: c.classes()) == client.classes()
    assert asked(server, lambda c: c.ready()) is True
    assert asked(server, lambda c: c.wait_until_ready(5)) is None


def test_both_have_the_same_methods_and_arguments() -> None:
    import inspect

    public = {name for name in vars(Client) if not name.startswith("_")}
    assert public == {name for name in vars(AsyncClient) if not name.startswith("_")}
    for name in [*public, "__init__"]:
        blocking, waiting = (list(inspect.signature(getattr(c, name)).parameters) for c in (Client, AsyncClient))
        assert blocking == waiting


def test_errors_are_the_same(server, picture: np.ndarray, tmp_path: Path) -> None:
    with pytest.raises(InvalidImageError, match="this is no image"):
        asked(server, lambda client: client.segment(b"not an image"))
    with pytest.raises(InvalidImageError, match="No such file"):
        asked(server, lambda client: client.segment(tmp_path / "nowhere.png"))
    with pytest.raises(InvalidRequestError, match=r"call segment\(\)"):
        asked(server, lambda client: client.classify(picture, task="vessels"))


@pytest.mark.timing
def test_requests_travel_together(server, picture: np.ndarray) -> None:
    server.delays_s["ModelInfer"] = 0.3

    async def many(client: AsyncClient) -> list[Any]:
        await client.describe()
        return await asyncio.gather(*(client.segment(picture) for _ in range(4)))

    started_s = time.monotonic()
    assert len(asked(server, many)) == 4
    assert time.monotonic() - started_s < 0.9


@pytest.mark.timing
@pytest.mark.parametrize("slow", ["ModelInfer", "ModelConfig"])
def test_the_deadline_is_kept(server, picture: np.ndarray, slow: str) -> None:
    server.delays_s[slow] = 30

    async def timed(client: AsyncClient) -> float:
        started_s = time.monotonic()
        with pytest.raises(DeadlineExceededError, match="timeout_s"):
            await client.segment(picture, timeout_s=0.4)
        return time.monotonic() - started_s

    assert 0.35 < asked(server, timed) < 0.6


@pytest.mark.timing
def test_a_file_that_never_ends_ends_at_the_deadline(server) -> None:
    read, write = os.pipe()

    async def timed(client: AsyncClient) -> float:
        await client.describe()
        threading.Timer(1.5, os.close, [write]).start()
        started_s = time.monotonic()
        with pytest.raises(DeadlineExceededError):
            await client.segment(os.fdopen(read, "rb"), timeout_s=0.3)
        return time.monotonic() - started_s

    assert 0.25 < asked(server, timed) < 0.4


def test_a_cancelled_task_ends_its_call(server, picture: np.ndarray) -> None:
    server.delays_s["ModelInfer"] = 30

    async def cancel(client: AsyncClient) -> None:
        task = asyncio.create_task(client.segment(picture))
        await asyncio.sleep(0.3)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    started_s = time.monotonic()
    asked(server, cancel)
    assert time.monotonic() - started_s < 3


def test_closing_under_a_running_call_ends_it(server) -> None:
    server.delays_s["RepositoryIndex"] = 30

    async def close(client: AsyncClient) -> None:
        task = asyncio.create_task(client.models())
        await asyncio.sleep(0.3)
        await client.close()
        with pytest.raises(InvalidRequestError, match="is closed: open a new one"):
            await task

    asked(server, close)


def test_after_closing_a_call_says_so(server) -> None:
    async def twice() -> None:
        client = AsyncClient(server.address)
        await client.close()
        await client.close()
        with pytest.raises(InvalidRequestError, match="is closed: open a new one"):
            await client.models()

    asyncio.run(twice())


def test_failures_that_pass_are_retried(server, picture: np.ndarray) -> None:
    server.faults["ModelInfer"] = (StatusCode.UNAVAILABLE, "Exceeds maximum queue size")
    server.failures_left["ModelInfer"] = 2
    assert asked(server, lambda client: client.segment(picture)).task == "vessels"
    assert server.calls.count("ModelInfer") == 3
    server.failures_left["ModelInfer"] = 1
    with pytest.raises(ServerUnavailableError):
        asked(server, lambda client: client.segment(picture), retry=Retry.none())


def test_a_slow_request_is_hedged(server, picture: np.ndarray) -> None:
    server.delays_s["ModelInfer"] = 0.4
    assert asked(server, lambda client: client.segment(picture), hedge_after_s=0.1).mask.shape == picture.shape[:2]
    assert server.calls.count("ModelInfer") == 2


def test_a_transport_can_be_replaced() -> None:
    class Canned:
        async def send(self, request, *, timeout_s: float, headers=()) -> Any:
            if isinstance(request, ConfigRequest):
                classes = [{"name": name, "colour": [1, 2, 3]} for name in ("none", "all")]
                return ModelConfig(request.model, {"classes": json.dumps(classes)})
            return InferResult(dict.fromkeys(("mask", "probability"), np.ones((2, 3), np.uint8)), "9")

        async def close(self) -> None: ...

    async def main() -> int:
        async with AsyncClient("nowhere:1", transport=Canned()) as client:
            return int((await client.segment(b"anything")).mask.sum())

    assert asyncio.run(main()) == 6


def test_a_client_of_another_event_loop_says_so(server, picture: np.ndarray) -> None:
    client = AsyncClient(server.address, timeout_s=5)
    assert asyncio.run(client.segment(picture)).mask.shape == picture.shape[:2]
    with pytest.raises(InvalidRequestError, match="belongs to another event loop: make a client for each loop"):
        asyncio.run(client.segment(picture))
    asyncio.run(client.close())
