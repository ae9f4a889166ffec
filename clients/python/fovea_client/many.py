"""Many images: a bounded number at once, results in order, and no more read ahead than is asked for."""

import asyncio
from collections import deque
from collections.abc import (
    AsyncGenerator,
    AsyncIterable,
    AsyncIterator,
    Awaitable,
    Callable,
    Generator,
    Iterable,
    Iterator,
)
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from fovea_client.errors import FoveaError, InvalidRequestError
from fovea_client.image import ImageInput

R = TypeVar("R")


@dataclass(frozen=True, slots=True, eq=False)
class Outcome(Generic[R]):
    """What came of one image of many.

    Attributes:
        index: its place among the images, from 0.
        image: the image itself, as it was given.
        result: what was asked for, or None where it failed.
        error: why it failed, or None.
    """

    index: int
    image: ImageInput = field(repr=False)
    result: R | None
    error: FoveaError | None

    def unwrap(self) -> R:
        """The result; raises the error if there is one."""
        if self.result is None:
            raise self.error or InvalidRequestError(f"image {self.index} has neither result nor error")
        return self.result


def in_order(
    ask: Callable[[ImageInput], R], images: Iterable[ImageInput], in_flight: int
) -> Generator[Outcome[R], None, None]:
    """What `ask` returns or raises for every image, in order; see `Client.segment_many`."""
    _check(in_flight)
    return _in_order(ask, images, in_flight)


def in_order_async(
    ask: Callable[[ImageInput], Awaitable[R]],
    images: Iterable[ImageInput] | AsyncIterable[ImageInput],
    in_flight: int,
) -> AsyncGenerator[Outcome[R], None]:
    """As `in_order`, for asyncio."""
    _check(in_flight)
    return _in_order_async(ask, images, in_flight)


def _in_order(
    ask: Callable[[ImageInput], R], images: Iterable[ImageInput], in_flight: int
) -> Generator[Outcome[R], None, None]:
    def outcome(index: int, image: ImageInput) -> Outcome[R]:
        try:
            return Outcome(index, image, ask(image), None)
        except FoveaError as error:
            return Outcome(index, image, None, error)

    waiting: deque[Future[Outcome[R]]] = deque()
    failures: list[Exception] = []
    pool = ThreadPoolExecutor(in_flight, "fovea-many")
    wait = True
    try:
        for index, image in _until_failure(images, failures):
            waiting.append(pool.submit(outcome, index, image))
            while waiting and (len(waiting) >= in_flight or waiting[0].done()):
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
        if failures:
            raise failures[0]
    except (GeneratorExit, KeyboardInterrupt, SystemExit):
        # Who leaves, or presses Ctrl-C at work on a result, does not wait for answers that nobody takes.
        wait = False
        raise
    finally:
        # Left early: what has not begun never will, what has begun ends with the client, or at its own deadline.
        pool.shutdown(wait=wait, cancel_futures=True)


async def _in_order_async(
    ask: Callable[[ImageInput], Awaitable[R]],
    images: Iterable[ImageInput] | AsyncIterable[ImageInput],
    in_flight: int,
) -> AsyncGenerator[Outcome[R], None]:
    async def outcome(index: int, image: ImageInput) -> Outcome[R]:
        try:
            return Outcome(index, image, await ask(image), None)
        except FoveaError as error:
            return Outcome(index, image, None, error)

    waiting: deque[asyncio.Task[Outcome[R]]] = deque()
    failures: list[Exception] = []
    index = 0
    try:
        async for image in _each(images, failures):
            waiting.append(asyncio.create_task(outcome(index, image)))
            index += 1
            while waiting and (len(waiting) >= in_flight or waiting[0].done()):
                yield await waiting.popleft()
        while waiting:
            yield await waiting.popleft()
        if failures:
            raise failures[0]
    finally:
        for task in waiting:
            task.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)


def _until_failure(images: Iterable[ImageInput], failures: list[Exception]) -> Iterator[tuple[int, ImageInput]]:
    """The images with their index; what the caller's iterable raises is kept until what is under way is given."""
    try:
        yield from enumerate(images)
    except Exception as error:  # noqa: BLE001 - raised again
        failures.append(error)


async def _each(
    images: Iterable[ImageInput] | AsyncIterable[ImageInput], failures: list[Exception]
) -> AsyncIterator[ImageInput]:
    """As `_until_failure`, of either kind."""
    try:
        if isinstance(images, AsyncIterable):
            async for image in images:
                yield image
        else:
            for image in images:
                yield image
    except Exception as error:  # noqa: BLE001 - raised again
        failures.append(error)


def _check(in_flight: int) -> None:
    if in_flight < 1:
        raise InvalidRequestError(f"in_flight is {in_flight}: give 1 or more")
