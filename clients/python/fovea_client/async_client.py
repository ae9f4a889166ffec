"""The front door for asyncio: `Client` with `await` in front of its calls, over the same operations."""

import asyncio
from collections.abc import (
    AsyncGenerator,
    AsyncIterable,
    AsyncIterator,
    Coroutine,
    Iterable,
    Iterator,
    Mapping,
    Sequence,
)
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar, cast

from fovea_client.address import Address
from fovea_client.classification import Classification
from fovea_client.credentials import Credentials, Tls
from fovea_client.errors import FoveaError
from fovea_client.image import ImageInput
from fovea_client.many import Outcome, in_order_async
from fovea_client.observing import Observer, observed
from fovea_client.operations import Operations
from fovea_client.requests import AsyncTransport, InferRequest, ModelStatus, Pending, Tensor
from fovea_client.retry import Retry
from fovea_client.segmentation import Segmentation
from fovea_client.steps import AwaitAny, Pause, Send, Start, Step, Steps, Work
from fovea_client.task import ClassInfo, TaskInfo
from fovea_client.tiled.result import OnProgress, TiledSegmentation

T = TypeVar("T")


class AsyncClient:
    """A connection to an endpoint for the tasks of one event loop; use it in an `async with` block or await `close`.

        async with AsyncClient("localhost:8001") as client:
            vessels = (await client.segment(Path("eye.png"))).mask

    Arguments and errors are those of `Client`. Cancelling a task cancels its call, on the server too. Reading files and
    encoding arrays happens in a thread, so that the loop goes on.
    """

    def __init__(
        self,
        url: str,
        *,
        timeout_s: float = 10.0,
        retry: Retry = Retry(),  # noqa: B008 - a frozen value
        hedge_after_s: float | None = None,
        tls: Tls | None = None,
        credentials: Credentials | None = None,
        transport: AsyncTransport | None = None,
        observers: Sequence[Observer] = (),
    ) -> None:
        self._address = Address.parse(url).text
        self._operations = Operations(self._address, timeout_s=timeout_s, retry=retry, hedge_after_s=hedge_after_s)
        self._transport = transport or _connect(url, tls, credentials)
        self._observers = tuple(observers)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.close()

    def __repr__(self) -> str:
        return f"AsyncClient({self._address!r})"

    async def close(self) -> None:
        """Give the connection back; closing twice is fine, a call after it raises InvalidRequestError."""
        await self._transport.close()

    async def segment(
        self, image: ImageInput, *, task: str = "vessels", timeout_s: float | None = None
    ) -> Segmentation:
        """As `Client.segment`."""
        return await self._run(self._operations.segment(image, task, timeout_s), "segment", task)

    async def classify(
        self, image: ImageInput, *, task: str = "eye_disease", timeout_s: float | None = None
    ) -> Classification:
        """As `Client.classify`."""
        return await self._run(self._operations.classify(image, task, timeout_s), "classify", task)

    def segment_many(
        self,
        images: Iterable[ImageInput] | AsyncIterable[ImageInput],
        *,
        task: str = "vessels",
        in_flight: int = 8,
        timeout_s: float | None = None,
    ) -> AsyncGenerator[Outcome[Segmentation], None]:
        """As `Client.segment_many`, for `async for`; `images` may be an asynchronous iterable too."""
        return in_order_async(lambda image: self.segment(image, task=task, timeout_s=timeout_s), images, in_flight)

    async def segment_tiled(
        self,
        source: Path,
        to: Path,
        *,
        task: str,
        tile_px: int | None = None,
        overlap_px: int | None = None,
        in_flight: int = 4,
        probability: Path | None = None,
        progress: OnProgress | None = None,
    ) -> TiledSegmentation:
        """As `Client.segment_tiled`; files are read and written in a thread, `progress` is called there."""
        from fovea_client.tiled.mosaic import Mosaic  # noqa: PLC0415 - it needs rasterio

        cut = partial(Mosaic, source, to, tile_px=tile_px, overlap_px=overlap_px, probability=probability)
        info = await self.describe(task)
        info.require(classifies=False)
        with await asyncio.to_thread(cut, task=info, progress=progress) as mosaic:
            async for outcome in self.segment_many(_in_thread(mosaic.tiles()), task=task, in_flight=in_flight):
                await asyncio.to_thread(mosaic.take, outcome)
            return await asyncio.to_thread(mosaic.finish)

    async def infer(
        self,
        model: str,
        inputs: Mapping[str, Tensor],
        *,
        outputs: Sequence[str] | None = None,
        timeout_s: float | None = None,
    ) -> dict[str, Tensor]:
        """As `Client.infer`."""
        operations = self._operations
        if self._observers or operations.attempts.hedges:
            result = await self._run(operations.infer(model, inputs, outputs, timeout_s), "infer", model)
        else:
            request, deadline = InferRequest(model, inputs, outputs), operations.deadline(timeout_s, model)
            # With many calls under way every frame is felt: an attempt that succeeds needs no steps.
            try:
                result = await self._transport.send(request, timeout_s=deadline.remaining_s())
            except FoveaError as error:
                result = await run_async(operations.attempts.again(request, deadline, error), self._transport)
            else:
                operations.attempts.succeeded()
        return result.outputs

    async def describe(self, task: str = "vessels") -> TaskInfo:
        """As `Client.describe`."""
        return await self._run(self._operations.describe(task), "describe", task)

    async def classes(self, task: str = "vessels") -> tuple[ClassInfo, ...]:
        """As `Client.classes`."""
        return (await self.describe(task)).classes

    async def models(self) -> list[ModelStatus]:
        """As `Client.models`."""
        return await self._run(self._operations.models(), "models", None)

    async def ready(self) -> bool:
        """As `Client.ready`."""
        return await self._run(self._operations.ready(), "ready", None)

    async def wait_until_ready(self, timeout_s: float) -> None:
        """As `Client.wait_until_ready`."""
        await self._run(self._operations.wait_until_ready(timeout_s), "wait_until_ready", None)

    def _run(self, steps: Steps[T], operation: str, model: str | None) -> Coroutine[Any, Any, T]:
        if self._observers:
            steps = observed(steps, [observer.started(operation, model) for observer in self._observers])
        return run_async(steps, self._transport)


async def _in_thread(items: Iterator[T]) -> AsyncIterator[T]:
    """The items, each waited for in a thread; none of them is None."""
    while (item := await asyncio.to_thread(next, items, None)) is not None:
        yield item


async def run_async(steps: Steps[T], transport: AsyncTransport) -> T:
    """Do every step of an operation; returns what it returns and raises what it raises. See `steps.Driver`."""
    try:
        step = next(steps)
        while True:
            try:
                if type(step) is Send:
                    outcome = await transport.send(step.request, timeout_s=step.timeout_s, headers=step.headers)
                else:
                    outcome = await _do(step, transport)
            except BaseException as error:  # noqa: BLE001 - the operation decides, a cancelled task's included
                step = steps.throw(error)
            else:
                step = steps.send(outcome)
    except StopIteration as end:
        result: T = end.value
        return result


async def _do(step: Step, transport: AsyncTransport) -> Any:
    match step:
        case Pause(seconds):
            await asyncio.sleep(seconds)
        case Work(function, timeout_s):
            return await asyncio.wait_for(asyncio.to_thread(function), timeout_s)
        case Start(request, timeout_s, headers):
            started = asyncio.ensure_future(transport.send(request, timeout_s=timeout_s, headers=headers))
            # The loser of a race may fail unheard; asyncio would log that.
            started.add_done_callback(lambda task: task.cancelled() or task.exception())
            return started
        case AwaitAny(pending, timeout_s):
            tasks = cast("Sequence[asyncio.Task[Pending]]", pending)
            await asyncio.wait(tasks, timeout=timeout_s, return_when=asyncio.FIRST_COMPLETED)
    return None


def _connect(url: str, tls: Tls | None, credentials: Credentials | None) -> AsyncTransport:
    # Here, because importing the messages takes longer than all the rest of the package.
    from fovea_client.aio_transport import AioTransport  # noqa: PLC0415

    return AioTransport(url, tls=tls, credentials=credentials)
