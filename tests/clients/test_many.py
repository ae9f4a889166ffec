"""Many images: in order, bounded, read no further than needed, and no failure loses another."""

import asyncio
import itertools
import threading
import time
from collections.abc import AsyncIterator, Iterator
from typing import Any

import cv2
import numpy as np
import pytest
from fovea_client import AsyncClient, Client, InvalidImageError, InvalidRequestError, Outcome
from fovea_client.many import in_order, in_order_async


def _grey(level: int) -> bytes:
    return cv2.imencode(".png", np.full((4, 5), level, np.uint8))[1].tobytes()


def _segmented(server, images: Any, kind: str, in_flight: int) -> list[Outcome[Any]]:
    if kind == "blocking":
        with Client(server.address, timeout_s=5) as client:
            return list(client.segment_many(images, in_flight=in_flight))

    async def main() -> list[Outcome[Any]]:
        async with AsyncClient(server.address, timeout_s=5) as client:
            return [outcome async for outcome in client.segment_many(images, in_flight=in_flight)]

    return asyncio.run(main())


@pytest.mark.parametrize("kind", ["blocking", "asyncio"])
@pytest.mark.parametrize("in_flight", [1, 3, 100])
def test_every_image_comes_back_in_order_with_its_result_or_its_error(server, kind: str, in_flight: int) -> None:
    images: list[Any] = [_grey(level) for level in range(0, 200, 20)]
    images[4] = b"not an image"
    outcomes = _segmented(server, images, kind, in_flight)
    assert [outcome.index for outcome in outcomes] == list(range(10))
    assert [outcome.image for outcome in outcomes] == images
    assert isinstance(outcomes[4].error, InvalidImageError)
    assert outcomes[4].result is None
    with pytest.raises(InvalidImageError):
        outcomes[4].unwrap()
    levels = [int(outcome.unwrap().probability[0, 0]) for outcome in outcomes if outcome.error is None]
    assert levels == [level for level in range(0, 200, 20) if level != 80]


def test_no_more_is_read_than_is_under_way() -> None:
    read = itertools.count()
    images = ((next(read), _grey(0))[1] for _ in range(100))
    outcomes = in_order(lambda image: image, images, 4)
    for taken in range(1, 20):
        next(outcomes)
        assert next(read) - (taken - 1) <= taken + 4
    outcomes.close()


def test_at_most_so_many_at_once() -> None:
    lock, at_once, most = threading.Lock(), 0, 0

    def ask(image: Any) -> Any:
        nonlocal at_once, most
        with lock:
            at_once += 1
            most = max(most, at_once)
        time.sleep(0.01)
        with lock:
            at_once -= 1
        return image

    assert len(list(in_order(ask, [b"x"] * 30, 3))) == 30
    assert most == 3


def test_asyncio_reads_no_further_and_stops_when_left(server) -> None:
    read = []

    async def images() -> AsyncIterator[bytes]:
        for number in range(100):
            read.append(number)
            yield _grey(number)

    async def main() -> None:
        async with AsyncClient(server.address, timeout_s=5) as client:
            outcomes = client.segment_many(images(), in_flight=3)
            async for outcome in outcomes:
                if outcome.index == 5:
                    break
            await outcomes.aclose()
            assert len(asyncio.all_tasks()) == 1

    asyncio.run(main())
    assert 5 < len(read) <= 5 + 3


def test_what_is_under_way_is_cancelled_when_left() -> None:
    async def ask(image: Any) -> Any:
        await asyncio.sleep(30 if image == b"slow" else 0)
        return image

    async def main() -> None:
        outcomes = in_order_async(ask, [b"fast", b"slow", b"slow"], 2)
        await anext(outcomes)
        await outcomes.aclose()

    started_s = time.monotonic()
    asyncio.run(main())
    assert time.monotonic() - started_s < 5


def test_leaving_early_leaves_no_thread(server) -> None:
    with Client(server.address, timeout_s=5) as client:
        outcomes = client.segment_many(itertools.repeat(_grey(1)), in_flight=4)
        next(outcomes)
        outcomes.close()
    _await_no_thread()


def test_leaving_early_waits_for_no_answer() -> None:
    begun, answered = threading.Event(), threading.Event()

    def ask(image: Any) -> Any:
        if image == b"slow":
            begun.set()
            answered.wait(20)
        begun.wait(5)
        return image

    started_s = time.monotonic()
    for _ in in_order(ask, [b"fast", b"slow", b"slow"], 2):
        assert begun.wait(5)
        break
    took_s = time.monotonic() - started_s
    answered.set()
    assert took_s < 5
    _await_no_thread()


def _await_no_thread() -> None:
    end_s = time.monotonic() + 5
    while any(thread.name.startswith("fovea") for thread in threading.enumerate()):
        assert time.monotonic() < end_s
        time.sleep(0.01)


def test_images_that_fail_to_come_end_it(server) -> None:
    def images() -> Iterator[bytes]:
        yield _grey(1)
        raise RuntimeError("the disk is gone")

    with Client(server.address) as client, pytest.raises(RuntimeError, match="the disk is gone"):
        list(client.segment_many(images()))


@pytest.mark.parametrize("client", [Client, AsyncClient])
def test_none_at_once_is_refused_before_anything_is_read(client: type) -> None:
    with pytest.raises(InvalidRequestError, match="in_flight is 0"):
        client("a:1").segment_many(iter([]), in_flight=0)


@pytest.mark.parametrize("kind", ["blocking", "asyncio"])
def test_what_is_under_way_when_the_source_fails_is_given_first(server, kind: str) -> None:
    def images() -> Iterator[bytes]:
        yield from (_grey(10), _grey(20))
        raise LookupError("no third one")

    given: list[int] = []

    async def main() -> None:
        async with AsyncClient(server.address, timeout_s=5) as client:
            async for outcome in client.segment_many(images(), in_flight=8):
                given.append(outcome.index)  # noqa: PERF401 - what came before the failure counts

    def blocking() -> None:
        with Client(server.address, timeout_s=5) as client:
            given.extend(outcome.index for outcome in client.segment_many(images(), in_flight=8))

    with pytest.raises(LookupError, match="no third one"):
        blocking() if kind == "blocking" else asyncio.run(main())
    assert given == [0, 1]


def test_a_result_is_given_as_soon_as_the_next_image_is_read() -> None:
    taken: list[int] = []

    def images() -> Iterator[bytes]:
        for level in range(4):
            time.sleep(0.1)
            assert len(taken) >= level - 1, "the image before the last one was done long ago"
            yield _grey(level)

    for outcome in in_order(lambda image: image, images(), 4):
        taken.append(outcome.index)  # noqa: PERF401 - it is looked at on the way
    assert taken == [0, 1, 2, 3]
