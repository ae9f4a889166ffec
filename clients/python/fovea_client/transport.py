"""Requests and answers as KServe v2 messages, and the blocking transport; it and `wire` alone know tritonclient.

tritonclient's generated messages and stub are used, its InferenceServerClient is not: that costs more for each call
than it gives. Nothing imports this module before the first connection is made, because the messages take longest to
import.
"""

import struct
import weakref
from collections.abc import Callable, Sequence
from typing import Any

import grpc
import numpy as np
from google.protobuf.message import DecodeError
from tritonclient.grpc import InferResult as ParsedReply
from tritonclient.grpc import service_pb2 as messages
from tritonclient.grpc import service_pb2_grpc as services
from tritonclient.utils import deserialize_bytes_tensor

from fovea_client.address import Address
from fovea_client.channel import Endpoint, Option, dial_target
from fovea_client.credentials import Credentials, Tls
from fovea_client.errors import FoveaError, InvalidRequestError, ServerError, from_status
from fovea_client.requests import (
    ConfigRequest,
    EncodedRequest,
    Headers,
    IndexRequest,
    InferRequest,
    InferResult,
    LiveRequest,
    ModelConfig,
    ModelStatistics,
    ModelStatus,
    Pending,
    ReadyRequest,
    Request,
    StatisticsRequest,
    Tensor,
)
from fovea_client.wire import DTYPES, encode_infer

_INFER = "/inference.GRPCInferenceService/ModelInfer"

# The call on a channel, what encodes the request within its seconds, what decodes the reply of its model.
Codec = tuple[Any, Callable[[Any, float], Any], Callable[[Any, str | None], Any]]


def codecs(channel: Any) -> dict[type, Codec]:
    """For each class of request: the call on this channel, what encodes the request, what decodes the reply."""
    stub = services.GRPCInferenceServiceStub(channel)
    # Its requests are bytes already.
    infer = channel.unary_unary(_INFER, response_deserializer=messages.ModelInferResponse.FromString)
    return {
        InferRequest: (infer, encode_infer, _decode_infer),
        EncodedRequest: (channel.unary_unary(_INFER), lambda asked, _: asked.message, lambda reply, _: reply),
        StatisticsRequest: (
            stub.ModelStatistics,
            lambda asked, _: messages.ModelStatisticsRequest(name=asked.model or ""),
            _statistics,
        ),
        ConfigRequest: (stub.ModelConfig, lambda asked, _: messages.ModelConfigRequest(name=asked.model), _config),
        LiveRequest: (stub.ServerLive, lambda *_: messages.ServerLiveRequest(), lambda reply, _: bool(reply.live)),
        ReadyRequest: (stub.ServerReady, lambda *_: messages.ServerReadyRequest(), lambda reply, _: bool(reply.ready)),
        IndexRequest: (stub.RepositoryIndex, lambda *_: messages.RepositoryIndexRequest(), _index),
    }


def encoded(request: InferRequest, timeout_s: float) -> EncodedRequest:
    """The request as bytes, to be sent often within `timeout_s` each; raises InvalidRequestError."""
    return EncodedRequest(request.model, encode_infer(request, timeout_s))


def decoded(reply: bytes, model: str | None) -> InferResult:
    """What the answer to an `EncodedRequest` says; raises ServerError for one that is no answer."""
    try:
        parsed = messages.ModelInferResponse.FromString(reply)
    except DecodeError as error:
        raise ServerError(f"model {model!r}: what came back is no answer ({error})", model=model) from error
    return _decode_infer(parsed, model)


def metadata_of(credentials: Credentials) -> Callable[[Headers], Headers]:
    """What adds the credentials' headers to those of a call; they are made once unless they change."""
    fixed = None if credentials.changes else tuple(credentials.headers())

    def metadata(headers: Headers) -> Headers:
        own = credentials.headers() if fixed is None else fixed
        return (*own, *headers) if headers else own

    return metadata


def rpc_error(error: Any, address: str, model: str | None) -> FoveaError:
    """The error of this package for one of gRPC's."""
    status, message = error.code().name, error.details() or ""
    # A connection that breaks for bytes that are no HTTP/2 is to gRPC an unknown failure; it is a broken connection.
    if status == "UNKNOWN" and message.startswith("Stream removed"):
        status = "UNAVAILABLE"
    return from_status(status, message, address=address, model=model)


def unsendable(error: Exception, address: str, model: str | None) -> InvalidRequestError:
    """A name that is no text fits no message; a channel that closes as the call begins refuses the call."""
    return InvalidRequestError(f"the request to {address} cannot be sent: {error}", model=model)


def closed(address: str, model: str | None) -> InvalidRequestError:
    """What a call on a closed connection ends with."""
    return InvalidRequestError(f"the connection to {address} is closed: open a new one", model=model)


class GrpcTransport:
    """A connection of its own to one Triton server, or to several that answer alike. Threads may share it.

    Args:
        url: see `Address.parse`.
        tls: how to encrypt, None for plain text unless the url says `grpcs://`.
        credentials: what is sent with every call.
        channel_args: gRPC channel arguments, added to this package's and stronger than them.
        health_watch: let gRPC watch the servers' health service; Triton has none to watch, see `channel`.

    Raises:
        InvalidUrlError: the address cannot be used. A server that does not answer shows in the first call, not here.
        InvalidCredentialsError: a certificate, key, token or header cannot be used, or would travel readable.
        ServerUnavailableError: a name in a list of addresses is unknown.
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
        endpoint = endpoint_of(url, tls, credentials, channel_args, health_watch)
        self.address = endpoint.address.text
        self._metadata = metadata_of(endpoint.credentials)
        self._channel = endpoint.channel(grpc, dial_target(endpoint.address))
        self._codecs = codecs(self._channel)
        # A channel that is closed by __del__ at interpreter teardown can wait for ever (seen under gevent). A
        # finalizer runs once, by close() or else at exit while the interpreter is whole.
        self._finalizer = weakref.finalize(self, self._channel.close)

    def send(self, request: Request, *, timeout_s: float, headers: Headers = ()) -> Any:
        """See `fovea_client.requests.Transport`."""
        call, encode, decode = self._codecs[type(request)]
        model = request.model
        if not self._finalizer.alive:
            raise closed(self.address, model)
        try:
            reply = call(encode(request, timeout_s), timeout=timeout_s, metadata=self._metadata(headers))
        except grpc.RpcError as error:
            raise self._error(error, model) from error
        except ValueError as error:
            raise unsendable(error, self.address, model) from error
        return decode(reply, model)

    def start(
        self, request: Request, *, timeout_s: float, headers: Headers = (), on_done: Callable[[], object]
    ) -> Pending:
        """See `fovea_client.requests.SplitTransport`."""
        call, encode, decode = self._codecs[type(request)]
        if not self._finalizer.alive:
            raise closed(self.address, request.model)
        try:
            future = call.future(encode(request, timeout_s), timeout=timeout_s, metadata=self._metadata(headers))
        except ValueError as error:
            raise unsendable(error, self.address, request.model) from error
        future.add_done_callback(lambda _: on_done())
        return _Started(future, lambda reply: decode(reply, request.model), lambda e: self._error(e, request.model))

    def close(self) -> None:
        """Give the connection back; closing twice is fine."""
        self._finalizer()

    def _error(self, error: grpc.RpcError, model: str | None) -> FoveaError:
        # A call that another thread's close() cut off is no failure of the server.
        return rpc_error(error, self.address, model) if self._finalizer.alive else closed(self.address, model)


class _Started:
    """A request under way on a blocking channel."""

    def __init__(
        self, future: Any, decode: Callable[[Any], Any], error_of: Callable[[grpc.RpcError], FoveaError]
    ) -> None:
        self._future = future
        self._decode = decode
        self._error_of = error_of

    def result(self) -> Any:
        """The answer; raises what `send` raises."""
        try:
            reply = self._future.result()
        except (grpc.RpcError, grpc.FutureCancelledError) as error:
            raise self._error_of(error) from error
        return self._decode(reply)

    def cancel(self) -> None:
        """Give it up."""
        self._future.cancel()

    def done(self) -> bool:
        """Whether there is a result."""
        return bool(self._future.done())


def endpoint_of(
    url: str, tls: Tls | None, credentials: Credentials | None, options: Sequence[Option], health_watch: bool
) -> Endpoint:
    """Everything about a connection to `url`; raises as `GrpcTransport` does."""
    address = Address.parse(url)
    encryption = tls if tls is not None or not address.encrypted else Tls()
    return Endpoint(address, encryption, credentials or Credentials(), tuple(options), health_watch)


def _decode_infer(reply: Any, model: str | None) -> InferResult:
    # Slices of protobuf's sequences are lists, which take half the time to read.
    described, raw = reply.outputs[:], reply.raw_output_contents[:]
    try:
        if len(raw) != len(described):
            # A server may also send typed fields, which Triton does not.
            parsed = ParsedReply(reply)
            return InferResult({each.name: parsed.as_numpy(each.name) for each in described}, reply.model_version)
        outputs = {each.name: _decode_tensor(each, data) for each, data in zip(described, raw, strict=True)}
    except (ValueError, struct.error) as error:
        raise ServerError(f"model {model!r}: an output does not fill its own shape ({error})", model=model) from error
    return InferResult(outputs, reply.model_version)


def _decode_tensor(output: Any, raw: bytes) -> Tensor:
    dtype = DTYPES.get(output.datatype)
    if dtype is not None:
        return np.frombuffer(raw, dtype).reshape(output.shape[:])
    if output.datatype == "BYTES":
        array: Tensor = deserialize_bytes_tensor(raw).reshape(output.shape)
        array.flags.writeable = False
        return array
    raise ValueError(f"output {output.name!r} has datatype {output.datatype}, which numpy has no type for")


def _config(reply: Any, _: str | None) -> ModelConfig:
    config = reply.config
    parameters = {key: value.string_value for key, value in config.parameters.items()}
    outputs, inputs = (tuple(tensor.name for tensor in tensors) for tensors in (config.output, config.input))
    steps = tuple(step.model_name for step in config.ensemble_scheduling.step)
    return ModelConfig(config.name, parameters, outputs, inputs, steps, config.backend, config.default_model_filename)


def _statistics(reply: Any, _: str | None) -> list[ModelStatistics]:
    return [
        ModelStatistics(
            model.name,
            model.version,
            model.inference_stats.success.count,
            model.inference_stats.fail.count,
            model.inference_stats.queue.ns,
            model.inference_stats.compute_input.ns,
            model.inference_stats.compute_infer.ns,
            model.inference_stats.compute_output.ns,
            model.inference_stats.success.ns,
        )
        for model in reply.model_stats
    ]


def _index(reply: Any, _: str | None) -> list[ModelStatus]:
    return [ModelStatus(entry.name, entry.version, entry.state, entry.reason) for entry in reply.models]
