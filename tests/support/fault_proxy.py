"""A TCP proxy between a client and a server that does harm on request.

It forwards whole HTTP/2 frames, so that a GOAWAY can be put between two of them as a server would send it.
"""

import asyncio
import random
import socket
import struct
import threading
from collections.abc import AsyncIterator
from dataclasses import dataclass
from enum import StrEnum
from types import TracebackType
from typing import Self

from kserve import LightTriton

_PREFACE_BYTES = 24  # what a client says before its first frame, RFC 9113 §3.4
_HEADERS, _GOAWAY = 1, 7
_TRICKLE_S = 0.05
_POLL_S = 0.005


class Fault(StrEnum):
    """What happens to the connections, those that are open and those to come."""

    NONE = "none"
    RESET = "reset"  # the next frame from either side ends the connection with RST
    BLACK_HOLE = "black hole"  # nothing passes in either direction, and nobody says so
    TRICKLE = "trickle"  # answers come a byte at a time
    HALF_CLOSE = "half-close"  # the server's side ends at its next answer, the client may go on sending
    WRONG_BYTES = "wrong bytes"  # answers are noise
    GOAWAY = "GOAWAY"  # a request is refused by GOAWAY: not processed, go elsewhere


class FaultProxy:
    """A context manager; `fault` may be set at any time, by any thread. `connections` counts what was accepted."""

    def __init__(self, target: str, fault: Fault = Fault.NONE) -> None:
        self.fault = fault
        self.connections = 0
        self.address = ""
        self._target = target.rpartition(":")
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="fault proxy", daemon=True)
        self._open: set[asyncio.Task[None]] = set()

    def __enter__(self) -> Self:
        self._thread.start()
        self._server = asyncio.run_coroutine_threadsafe(self._listen(), self._loop).result()
        host, port = self._server.sockets[0].getsockname()
        self.address = f"{host}:{port}"
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        asyncio.run_coroutine_threadsafe(self._close(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def _listen(self) -> asyncio.Server:
        return await asyncio.start_server(self._accept, "127.0.0.1", 0)

    async def _close(self) -> None:
        self._server.close()
        for task in self._open:
            task.cancel()
        await asyncio.gather(*self._open, return_exceptions=True)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        task = asyncio.current_task()
        assert task is not None
        self._open.add(task)
        try:
            await _Connection(self, reader, writer).run(self._target[0], int(self._target[2]))
        except (OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass
        finally:
            writer.close()
            self._open.discard(task)


@dataclass(frozen=True)
class Behind:
    """A server and the proxy before it."""

    light: LightTriton
    proxy: FaultProxy


class _Connection:
    """One client's connection and the one to the server behind it."""

    def __init__(self, proxy: FaultProxy, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._proxy = proxy
        self._client = reader, writer
        self._noise = random.Random(0)

    async def run(self, host: str, port: int) -> None:
        """Forward until either side ends."""
        server_reader, server_writer = await asyncio.open_connection(host, port)
        ways = [self._up(self._client[0], server_writer), self._down(server_reader, self._client[1])]
        try:
            tasks = [asyncio.ensure_future(way) for way in ways]
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            server_writer.transport.abort()

    async def _up(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await self._until_passable()
        writer.write(await reader.readexactly(_PREFACE_BYTES))
        async for frame in _frames(reader):
            await self._until_passable()
            if self._proxy.fault is Fault.RESET:
                return self._reset()
            if self._proxy.fault is Fault.GOAWAY and frame[3] == _HEADERS:
                return await self._go_away()
            writer.write(frame)
            await writer.drain()
        return None

    async def _down(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        async for frame in _frames(reader):
            await self._until_passable()
            if not await self._answer(frame, writer):
                return
            await writer.drain()

    async def _answer(self, frame: bytes, writer: asyncio.StreamWriter) -> bool:
        """Hand the server's frame on as the fault has it; whether the connection lives on."""
        fault = self._proxy.fault
        if fault is Fault.RESET:
            self._reset()
            return False
        if fault is Fault.TRICKLE:
            await self._trickle(frame, writer)
        elif fault is Fault.WRONG_BYTES:
            writer.write(self._noise.randbytes(len(frame)))
        elif fault is Fault.HALF_CLOSE:
            writer.write_eof()
            await asyncio.Event().wait()
        else:
            writer.write(frame)
        return True

    async def _trickle(self, frame: bytes, writer: asyncio.StreamWriter) -> None:
        for index in range(len(frame)):
            writer.write(frame[index : index + 1])
            if self._proxy.fault is Fault.TRICKLE:
                await asyncio.sleep(_TRICKLE_S)

    async def _go_away(self) -> None:
        """Refuse what is in flight: no stream was processed, no error (RFC 9113 §6.8); then the connection ends."""
        self._client[1].write(struct.pack(">I", 8)[1:] + struct.pack(">BBIII", _GOAWAY, 0, 0, 0, 0))
        await self._client[1].drain()
        self._client[1].close()
        await self._client[1].wait_closed()

    async def _until_passable(self) -> None:
        while self._proxy.fault is Fault.BLACK_HOLE:
            await asyncio.sleep(_POLL_S)

    def _reset(self) -> None:
        # A socket that lingers for no time ends with RST.
        transport = self._client[1].transport
        raw: socket.socket = transport.get_extra_info("socket")
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        transport.abort()


async def _frames(reader: asyncio.StreamReader) -> AsyncIterator[bytes]:
    """The HTTP/2 frames of one direction: nine bytes of header, the first three of which give the payload's length."""
    while True:
        header = await reader.readexactly(9)
        yield header + await reader.readexactly(int.from_bytes(header[:3], "big"))
