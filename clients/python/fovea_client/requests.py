"""What a client asks and what comes back, in terms of models and arrays; and the seam through which it travels.

A transport sends one request and returns its answer. It retries nothing, remembers nothing and knows no image: so a
test replaces the network by an object with two methods. Everything that a call takes beyond sending, from deadlines
to retries, is in `operations` and works the same over `Transport` and `AsyncTransport`.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy.typing as npt

Tensor = npt.NDArray[Any]
Headers = Sequence[tuple[str, str]]


@dataclass(frozen=True, slots=True, eq=False)
class InferRequest:
    """Ask a model.

    Attributes:
        model: its name; the server picks the version.
        inputs: arrays by input name, any shape; a BYTES tensor is an array of dtype object that holds bytes.
        outputs: names of the outputs to send back, None for all.
    """

    model: str
    inputs: Mapping[str, Tensor]
    outputs: Sequence[str] | None = None


@dataclass(frozen=True, slots=True, eq=False)
class EncodedRequest:
    """An `InferRequest` as the bytes that travel, for who sends the same one often; the answer is bytes too.

    `transport.encoded` makes one, `transport.decoded` reads its answer: so whoever takes the time of an answer can do
    that before it is read.
    """

    model: str
    message: bytes


@dataclass(frozen=True, slots=True)
class StatisticsRequest:
    """Ask what a model, or with None every model, has done so far; the answer is a list of `ModelStatistics`."""

    model: str | None = None


@dataclass(frozen=True, slots=True)
class ConfigRequest:
    """Ask for a model's configuration as the server loaded it; the answer is a `ModelConfig`."""

    model: str


@dataclass(frozen=True, slots=True)
class LiveRequest:
    """Ask whether the server lives; the answer is a bool."""

    model: None = None


@dataclass(frozen=True, slots=True)
class ReadyRequest:
    """Ask whether the server is ready; the answer is a bool."""

    model: None = None


@dataclass(frozen=True, slots=True)
class IndexRequest:
    """Ask for the state of every model version in the repository; the answer is a list of `ModelStatus`."""

    model: None = None


Request = InferRequest | EncodedRequest | StatisticsRequest | ConfigRequest | LiveRequest | ReadyRequest | IndexRequest


@dataclass(frozen=True, slots=True, eq=False)
class InferResult:
    """Arrays by output name (read-only views of the reply) and the version of the model that computed them."""

    outputs: dict[str, Tensor]
    model_version: str


@dataclass(frozen=True, slots=True)
class ModelConfig:
    """What a model's config.pbtxt says.

    Attributes:
        name: of the model.
        parameters: its string parameters.
        outputs, inputs: names of its tensors.
        steps: where it is an ensemble, the models it is made of.
        backend: what runs it, such as "onnxruntime"; "" for an ensemble.
        model_file: the file that the backend loads, "" where that is the backend's own choice.
    """

    name: str
    parameters: Mapping[str, str]
    outputs: tuple[str, ...] = ()
    inputs: tuple[str, ...] = ()
    steps: tuple[str, ...] = ()
    backend: str = ""
    model_file: str = ""


@dataclass(frozen=True, slots=True)
class ModelStatistics:
    """What one version of a model has done since it was loaded: sums over all requests of all clients.

    Attributes:
        name, version: of the model.
        requests: answered without a failure; the times are theirs.
        failed: requests that were not.
        queue_ns, compute_input_ns, infer_ns, output_ns: spent waiting, reading inputs, computing, writing outputs.
        total_ns: from the request's arrival at the model to its answer.
    """

    name: str
    version: str
    requests: int
    failed: int
    queue_ns: int
    compute_input_ns: int
    infer_ns: int
    output_ns: int
    total_ns: int


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
    """What a `Client` needs of the wire."""

    def send(self, request: Request, *, timeout_s: float, headers: Headers = ()) -> Any:
        """The answer to one request, see the request's class; a failure is a subclass of FoveaError, nothing else.

        Args:
            request: one of the classes above.
            timeout_s: seconds until the call must have ended, one way or the other.
            headers: metadata of this call, beside what the transport itself adds.
        """

    def close(self) -> None:
        """Give the connection back; closing twice is fine."""


class AsyncTransport(Protocol):
    """What an `AsyncClient` needs of the wire: `Transport` as coroutines. A cancelled `send` cancels the call."""

    async def send(self, request: Request, *, timeout_s: float, headers: Headers = ()) -> Any:
        """As `Transport.send`."""

    async def close(self) -> None:
        """As `Transport.close`."""


class Pending(Protocol):
    """A request under way; an `asyncio.Task` is one too."""

    def result(self) -> Any:
        """The answer of a request that is done; raises as `Transport.send` does."""

    def cancel(self) -> Any:
        """Give the request up; does nothing if it is done."""

    def done(self) -> bool:
        """Whether there is a result."""


class SplitTransport(Transport, Protocol):
    """A transport that can have two requests under way from one thread, which hedging needs."""

    def start(
        self, request: Request, *, timeout_s: float, headers: Headers = (), on_done: Callable[[], object]
    ) -> Pending:
        """Begin what `send` does and return at once; `on_done` is called, on any thread, when there is a result."""
