"""One endpoint as the page sees it: what it serves, how it is, what it answers. All of it through fovea_client."""

import time
from collections.abc import Generator, Sequence
from dataclasses import dataclass
from typing import Any

from fovea_client import (
    Classification,
    Client,
    FoveaError,
    InvalidRequestError,
    ModelNotFoundError,
    ModelStatus,
    Outcome,
    Segmentation,
    ServerUnavailableError,
    TaskInfo,
    Tls,
)
from fovea_client.image import ImageInput
from fovea_client.many import in_order
from fovea_client.requests import ConfigRequest, IndexRequest, ModelConfig, ModelStatistics, StatisticsRequest
from fovea_client.task import CLASSIFICATION, task_info
from fovea_client.transport import GrpcTransport

Answer = Segmentation | Classification

_LOOK_TIMEOUT_S = 3.0


@dataclass(frozen=True, slots=True)
class ServedTask:
    """A task that an endpoint serves.

    Attributes:
        info: what the endpoint says of it.
        runs: what runs its network, such as "onnxruntime, model.onnx"; "" where it does not say.
    """

    info: TaskInfo
    runs: str

    @property
    def classifies(self) -> bool:
        """Whether it answers with a label; else with a mask."""
        return self.info.kind == CLASSIFICATION


@dataclass(frozen=True, slots=True)
class Look:
    """One look at an endpoint's health.

    Attributes:
        at_s: when, in seconds of a clock that only goes forward.
        ready: whether it says that it is ready.
        round_trip_ms: milliseconds that the question took.
        models: the state of every model version.
        statistics: what each has done since it was loaded.
    """

    at_s: float
    ready: bool
    round_trip_ms: float
    models: tuple[ModelStatus, ...]
    statistics: tuple[ModelStatistics, ...]


class Endpoint:
    """A connection to one address. Threads, and so visitors, may share it.

    Args:
        address: of the server's gRPC port.
        timeout_s: seconds that one answer may take.
        tls: how the connection is encrypted; None leaves it to the address.

    Raises:
        FoveaError: the address cannot be used.
    """

    def __init__(self, address: str, timeout_s: float, tls: Tls | None = None) -> None:
        self.address = address
        self._transport = GrpcTransport(address, tls=tls)
        self._client = Client(address, timeout_s=timeout_s, transport=self._transport)

    def tasks(self) -> dict[str, ServedTask]:
        """The tasks that are ready, by name: the models that name classes. Asked anew each time.

        Raises:
            FoveaError: the server does not answer, or describes itself against its own contract.
        """
        names = sorted({model.name for model in self._send(IndexRequest()) if model.ready})
        configs = {config.name: config for config in map(self._config, names) if config}
        described = {name: config for name, config in configs.items() if "classes" in config.parameters}
        return {name: ServedTask(task_info(config), _runs(config, configs)) for name, config in described.items()}

    def ask(self, picture: ImageInput, task: ServedTask) -> Answer:
        """The task's answer for an encoded picture; raises FoveaError."""
        if task.classifies:
            return self._client.classify(picture, task=task.info.name)
        return self._client.segment(picture, task=task.info.name)

    def ask_many(
        self, pictures: Sequence[bytes], task: ServedTask, in_flight: int
    ) -> Generator[Outcome[Answer], None, None]:
        """The answer or the error of every picture, in their order."""
        return in_order(lambda picture: self.ask(picture, task), pictures, in_flight)

    def look(self) -> Look:
        """How the endpoint is now; raises FoveaError when it does not answer."""
        started_s = time.monotonic()
        ready = self._client.ready()
        round_trip_ms = (time.monotonic() - started_s) * 1000
        models = tuple(self._send(IndexRequest()))
        return Look(started_s, ready, round_trip_ms, models, tuple(self._send(StatisticsRequest())))

    def _config(self, name: str) -> ModelConfig | None:
        try:
            config: ModelConfig = self._send(ConfigRequest(name))
        except (ModelNotFoundError, ServerUnavailableError, InvalidRequestError):
            return None  # gone since the list was made
        return config

    def _send(self, request: IndexRequest | ConfigRequest | StatisticsRequest) -> Any:
        return self._transport.send(request, timeout_s=_LOOK_TIMEOUT_S)


def sentence(error: FoveaError) -> str:
    """What the page says of an error: one line that begins as a sentence does."""
    text = " ".join(str(error).split())
    return text[:1].upper() + text[1:] + ("" if text.endswith(".") else ".")


def _runs(config: ModelConfig, configs: dict[str, ModelConfig]) -> str:
    """What the step runs that neither decodes nor brings back: the one whose backend is not Python's."""
    steps = [configs[name] for name in config.steps if name in configs]
    networks = [step for step in steps if step.backend not in ("", "python")]
    return "; ".join(", ".join(filter(None, (step.backend, step.model_file))) for step in networks)
