"""Both clients with one face: a test is written once and run for each."""

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from types import TracebackType
from typing import Any, Self

from fovea_client import AsyncClient, Client


class LoopThread:
    """An event loop on a thread of its own."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="event loop", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def run(self, coroutine: Coroutine[Any, Any, Any]) -> Any:
        """What the coroutine returns or raises; any thread may ask, at the same time as others."""
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result()


class OnLoop:
    """An AsyncClient whose methods block, as a Client's do."""

    def __init__(self, thread: LoopThread, address: str, **options: Any) -> None:
        self._thread = thread
        self._client: AsyncClient = thread.run(_made(address, options))

    def __getattr__(self, name: str) -> Callable[..., Any]:
        method = getattr(self._client, name)
        return lambda *words, **named: self._thread.run(method(*words, **named))

    def segment_many(self, *words: Any, **named: Any) -> Iterator[Any]:
        """The outcomes, each awaited when it is asked for."""
        outcomes = self._client.segment_many(*words, **named)
        while (outcome := self._thread.run(_next(outcomes))) is not None:
            yield outcome

    def __repr__(self) -> str:
        return repr(self._client)


async def _next(outcomes: AsyncIterator[Any]) -> Any:
    # Begun on the loop's thread, or the loop would not close it when it is left early.
    return await anext(outcomes, None)


async def _made(address: str, options: dict[str, Any]) -> AsyncClient:
    return AsyncClient(address, **options)


Caller = Client | OnLoop
