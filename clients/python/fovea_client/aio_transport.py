"""The transport for asyncio; messages, errors and channel settings are those of `transport` and `channel`."""

import asyncio
from collections.abc import Sequence
from typing import Any

import grpc

from fovea_client.channel import Option, dial_target
from fovea_client.credentials import Credentials, Tls
from fovea_client.errors import FoveaError, InvalidRequestError, from_status
from fovea_client.requests import Headers, Request
from fovea_client.transport import Codec, closed, codecs, endpoint_of, metadata_of, rpc_error, unsendable


class AioTransport:
    """A connection of its own, for the tasks of one event loop; arguments and errors as for `GrpcTransport`.

    The channel is made by the first call, because gRPC ties it to the loop that runs then.
    """

    def __init__(
        self,
        url: str,
        *,
        tls: Tls | None = None,
        credentials: Credentials | None = None,
        channel_args: Sequence[Option] = (),
        health_watch: bool = False,
    ) -> None:
        self._endpoint = endpoint_of(url, tls, credentials, channel_args, health_watch)
        self.address = self._endpoint.address.text
        self._metadata = metadata_of(self._endpoint.credentials)
        self._channel: Any = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._codecs: dict[type, Codec] = {}
        self._connecting = asyncio.Lock()
        self._closed = False

    async def send(self, request: Request, *, timeout_s: float, headers: Headers = ()) -> Any:
        """See `fovea_client.requests.AsyncTransport`."""
        model = request.model
        if self._channel is None or self._closed or self._loop is not asyncio.get_running_loop():
            await self._connect(model, timeout_s)
        call, encode, decode = self._codecs[type(request)]
        try:
            reply = await call(encode(request, timeout_s), timeout=timeout_s, metadata=self._metadata(headers) or None)
        except grpc.RpcError as error:
            raise self._error(error, model) from error
        except asyncio.CancelledError as error:
            # gRPC tells a call that close() cut off by the same exception as a task that was cancelled.
            if self._closed and not _cancelling():
                raise closed(self.address, model) from error
            raise
        except (ValueError, grpc.aio.UsageError) as error:
            raise unsendable(error, self.address, model) from error
        return decode(reply, model)

    async def close(self) -> None:
        """Give the connection back; closing twice is fine."""
        self._closed = True
        if self._channel is not None:
            await self._channel.close()

    async def _connect(self, model: str | None, timeout_s: float) -> None:
        self._loop = self._loop or asyncio.get_running_loop()
        if self._loop is not asyncio.get_running_loop():
            message = f"the connection to {self.address} belongs to another event loop: make a client for each loop"
            raise InvalidRequestError(message, model=model)
        try:
            async with asyncio.timeout(timeout_s), self._connecting:
                if self._closed:
                    raise closed(self.address, model)
                if self._channel is None:
                    # A list of names is looked up, and the loop must not wait for that.
                    target = await asyncio.to_thread(dial_target, self._endpoint.address)
                    self._channel = self._endpoint.channel(grpc.aio, target)
                    self._codecs = codecs(self._channel)
        except TimeoutError as error:
            raise from_status("DEADLINE_EXCEEDED", "no connection", address=self.address, model=model) from error

    def _error(self, error: grpc.RpcError, model: str | None) -> FoveaError:
        return closed(self.address, model) if self._closed else rpc_error(error, self.address, model)


def _cancelling() -> bool:
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0
