"""The one seam between this package and the wire; the only place that knows tritonclient.

What is above it works against `Transport`, so a test may replace the network by a few lines of Python. Images, tasks
and classes are not known here: tensors, models and statuses are.
"""

import struct
import weakref
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
from tritonclient.grpc import InferenceServerClient, InferInput, InferRequestedOutput
from tritonclient.utils import InferenceServerException, np_to_triton_dtype

from fovea_client.address import is_loopback, parse_address
from fovea_client.deadline import Deadline, positive_s
from fovea_client.errors import InvalidRequestError, ServerError, from_status

Tensor = npt.NDArray[Any]

_CHANNEL_ARGS: dict[str, int | str] = {
    "grpc.max_send_message_length": -1,
    "grpc.max_receive_message_length": -1,
    # Without it gRPC gives every client of one process the same connection: sixteen load-test users would be one.
    "grpc.use_local_subchannel_pool": 1,
    # The default backs off to two minutes, long after a restarted server is ready.
    "grpc.initial_reconnect_backoff_ms": 100,
    "grpc.max_reconnect_backoff_ms": 1000,
}


@dataclass(frozen=True, slots=True, eq=False)
class InferResult:
    """Arrays by output name (read-only views of the reply) and the version of the model that computed them."""

    outputs: dict[str, Tensor]
    model_version: str


@dataclass(frozen=True, slots=True)
class ModelConfig:
    """A model's name and the string parameters of its config.pbtxt."""

    name: str
    parameters: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class ModelStatus:
    """One line of the repository index; version and state are "" for a model that was never loaded."""

    name: str
    version: str
    state: str
    reason: str

    @property
    def ready(self) -> bool:
        """Whether this version answers requests."""
        return self.state == "READY"


class Transport(Protocol):
    """What a client needs of the wire. A call that fails raises a subclass of FoveaError and nothing else."""

    def infer(
        self,
        model: str,
        inputs: Mapping[str, Tensor],
        *,
        outputs: Sequence[str] | None = None,
        timeout_s: float | None = None,
    ) -> InferResult:
        """The model's answer to one request."""

    def config(self, model: str, *, timeout_s: float | None = None) -> ModelConfig:
        """The model's configuration as the server loaded it."""

    def server_ready(self, *, timeout_s: float | None = None) -> bool:
        """Whether the server is live and ready."""

    def index(self, *, timeout_s: float | None = None) -> list[ModelStatus]:
        """The state of every model version in the repository."""

    def close(self) -> None:
        """Give the connection back; closing twice is fine."""


class GrpcTransport:
    """A connection of its own to one Triton server. Threads may share it.

    Args:
        url: `host:port` or `grpc://host:port`.
        timeout_s: deadline in seconds of a call that does not bring its own.
        channel_args: gRPC channel arguments, added to this class's and stronger than them.

    Raises:
        InvalidUrlError: the address cannot be used. A server that does not answer shows in the first call, not here.
        InvalidRequestError: `timeout_s` is not a positive, finite number.
    """

    def __init__(
        self, url: str, *, timeout_s: float = 10.0, channel_args: Sequence[tuple[str, int | str]] = ()
    ) -> None:
        self.address = parse_address(url)
        self._timeout_s = positive_s(timeout_s)
        # gRPC would dial this very machine through a proxy of the environment.
        own = _CHANNEL_ARGS | ({"grpc.enable_http_proxy": 0} if is_loopback(self.address) else {})
        options = list((own | dict(channel_args)).items())
        self._client = InferenceServerClient(self.address, channel_args=options)
        # tritonclient closes in __del__, which at interpreter teardown can wait for ever (seen under gevent). A
        # finalizer runs once, by close() or else at exit while the interpreter is whole.
        self._finalizer = weakref.finalize(self, self._client.close)

    def infer(
        self,
        model: str,
        inputs: Mapping[str, Tensor],
        *,
        outputs: Sequence[str] | None = None,
        timeout_s: float | None = None,
    ) -> InferResult:
        """The model's answer to one request.

        Args:
            model: name of the model; the server picks the version.
            inputs: arrays by input name, any shape; a BYTES tensor is an array of dtype object that holds bytes.
            outputs: names of the outputs to send back, None for all.
            timeout_s: deadline in seconds, None for the transport's own.
        """
        tensors = [_infer_input(name, array) for name, array in inputs.items()]
        wanted = None if outputs is None else [InferRequestedOutput(name) for name in outputs]
        with self._call(model):
            reply = self._client.infer(model, tensors, outputs=wanted, client_timeout=self._deadline_s(timeout_s))
        return _infer_result(reply, model)

    def config(self, model: str, *, timeout_s: float | None = None) -> ModelConfig:
        """The model's name and parameters as the server loaded them."""
        with self._call(model):
            reply = self._client.get_model_config(model, client_timeout=self._deadline_s(timeout_s))
        parameters = {key: value.string_value for key, value in reply.config.parameters.items()}
        return ModelConfig(reply.config.name, parameters)

    def server_ready(self, *, timeout_s: float | None = None) -> bool:
        """Whether the server is live and ready; raises when it cannot be asked."""
        deadline = Deadline(self._deadline_s(timeout_s), address=self.address)
        with self._call():
            live = self._client.is_server_live(client_timeout=deadline.remaining_s())
            return bool(live and self._client.is_server_ready(client_timeout=deadline.remaining_s()))

    def index(self, *, timeout_s: float | None = None) -> list[ModelStatus]:
        """The state of every model version in the repository."""
        with self._call():
            reply = self._client.get_model_repository_index(client_timeout=self._deadline_s(timeout_s))
        return [ModelStatus(entry.name, entry.version, entry.state, entry.reason) for entry in reply.models]

    def close(self) -> None:
        """Give the connection back; closing twice is fine."""
        self._finalizer()

    def _deadline_s(self, timeout_s: float | None) -> float:
        return self._timeout_s if timeout_s is None else positive_s(timeout_s)

    @contextmanager
    def _call(self, model: str | None = None) -> Iterator[None]:
        self._require_open(model)
        try:
            yield
        except InferenceServerException as error:
            # A call that another thread's close() cut off is no failure of the server.
            self._require_open(model)
            status = str(error.status() or "UNKNOWN").removeprefix("StatusCode.")
            raise from_status(status, str(error.message() or ""), address=self.address, model=model) from error
        except ValueError as error:
            # Beyond 2 GiB protobuf refuses a message; a channel closed since the check above refuses the call.
            raise InvalidRequestError(f"the request to {self.address} cannot be sent: {error}", model=model) from error

    def _require_open(self, model: str | None) -> None:
        if not self._finalizer.alive:
            raise InvalidRequestError(f"the connection to {self.address} is closed: open a new one", model=model)


def _infer_input(name: str, array: Tensor) -> InferInput:
    if not isinstance(array, np.ndarray):
        raise InvalidRequestError(f"input {name!r} is a {type(array).__name__}: pass a numpy array")
    datatype = np_to_triton_dtype(array.dtype)
    # numpy's fixed-width bytes drop trailing zero bytes, which cuts the end off some files.
    if datatype is None or array.dtype.kind == "S":
        raise InvalidRequestError(f"input {name!r} has dtype {array.dtype}: pass numbers, or bytes as dtype=object")
    if datatype == "BYTES" and not all(isinstance(element, bytes) for element in array.flat):
        raise InvalidRequestError(f"input {name!r} has dtype object but holds more than bytes: encode its elements")
    return InferInput(name, array.shape, datatype).set_data_from_numpy(array)


def _infer_result(reply: Any, model: str) -> InferResult:
    response = reply.get_response()
    try:
        outputs = {output.name: reply.as_numpy(output.name) for output in response.outputs}
    except (ValueError, struct.error) as error:
        raise ServerError(f"model {model!r}: an output does not fill its own shape ({error})", model=model) from error
    return InferResult(outputs, response.model_version)
