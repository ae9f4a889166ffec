"""Everything between a public method and the wire, once for threads and asyncio: what is asked, checked, repeated.

Each operation is a generator of steps (see `steps`); `Client` and `AsyncClient` only run them.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import TypeVar

import numpy as np

from fovea_client.attempts import Attempts
from fovea_client.classification import Classification, classification
from fovea_client.deadline import Deadline, positive_s
from fovea_client.errors import (
    DeadlineExceededError,
    InvalidImageError,
    InvalidRequestError,
    ServerError,
    ServerUnavailableError,
)
from fovea_client.image import ImageInput, check_image, encode_image, name_image
from fovea_client.requests import (
    ConfigRequest,
    IndexRequest,
    InferRequest,
    InferResult,
    LiveRequest,
    ModelStatus,
    ReadyRequest,
    Tensor,
)
from fovea_client.retry import Retry
from fovea_client.segmentation import Segmentation, segmentation
from fovea_client.steps import Pause, Send, Steps, Work
from fovea_client.task import TaskInfo, task_info

T = TypeVar("T")

_POLL_INTERVAL_S = 0.1
_POLL_TIMEOUT_S = 2.0


class Operations:
    """What one client can do, and what it remembers: its tasks and its retry budget. Threads may share it.

    Args:
        address: what errors call the server.
        timeout_s: seconds for a call that does not bring its own.
        retry: how failed calls are repeated.
        hedge_after_s: after how long an unanswered request is sent a second time, None for never.

    Raises:
        InvalidRequestError: a time is not above 0 or beyond three years.
    """

    def __init__(self, address: str, *, timeout_s: float, retry: Retry, hedge_after_s: float | None) -> None:
        self._address = address
        self._timeout_s = positive_s(timeout_s)
        self.attempts = Attempts(retry, hedge_after_s)
        self._tasks: dict[str, TaskInfo] = {}

    def segment(self, image: ImageInput, task: str, timeout_s: float | None) -> Steps[Segmentation]:
        """The image's segmentation."""
        info, result, elapsed_ms = yield from self._ask(image, task, timeout_s, classifies=False)
        return self._read(segmentation, info, result, elapsed_ms)

    def classify(self, image: ImageInput, task: str, timeout_s: float | None) -> Steps[Classification]:
        """The image's class."""
        info, result, elapsed_ms = yield from self._ask(image, task, timeout_s, classifies=True)
        return self._read(classification, info, result, elapsed_ms)

    def infer(
        self, model: str, inputs: Mapping[str, Tensor], outputs: Sequence[str] | None, timeout_s: float | None
    ) -> Steps[InferResult]:
        """Any model's answer."""
        return self.attempts.send(InferRequest(model, inputs, outputs), self.deadline(timeout_s, model))

    def deadline(self, timeout_s: float | None, model: str | None) -> Deadline:
        """The end of a call of `model` that begins now; None is the client's own time."""
        return Deadline(self._timeout_s if timeout_s is None else timeout_s, address=self._address, model=model)

    def models(self) -> Steps[list[ModelStatus]]:
        """Every model version with its state."""
        models: list[ModelStatus] = yield from self.attempts.send(IndexRequest(), self.deadline(None, None))
        return models

    def describe(self, task: str) -> Steps[TaskInfo]:
        """What the server says of a task."""
        info = yield from self._task(task, self.deadline(None, task))
        return info

    def ready(self) -> Steps[bool]:
        """Whether the server is live and ready."""
        try:
            ready = yield from self._ready(self.deadline(None, None))
        except (ServerUnavailableError, DeadlineExceededError):
            return False
        return ready

    def wait_until_ready(self, timeout_s: float) -> Steps[None]:
        """End when the server is ready."""
        deadline = self.deadline(timeout_s, None)
        reason: Exception | None = None
        while deadline.left_s() > 0:
            try:
                # One server that accepts and stays silent must not use up the time that another would need.
                if (yield from self._ready(self.deadline(max(deadline.at_most_s(_POLL_TIMEOUT_S), 0.001), None))):
                    return
            except (ServerUnavailableError, DeadlineExceededError) as error:
                reason = error
            yield Pause(deadline.at_most_s(_POLL_INTERVAL_S))
        message = f"server {self._address} is not ready after {timeout_s:g} s; {ServerUnavailableError.advice}"
        raise ServerUnavailableError(message) from reason

    def _ready(self, deadline: Deadline) -> Steps[bool]:
        live = yield Send(LiveRequest(), deadline.remaining_s())
        return bool(live and (yield Send(ReadyRequest(), deadline.remaining_s())))

    def _task(self, name: str, deadline: Deadline) -> Steps[TaskInfo]:
        info = self._tasks.get(name)
        if info is None:
            config = yield from self.attempts.send(ConfigRequest(name), deadline)
            info = self._tasks[name] = task_info(config)
        return info

    def _read(self, read: Callable[..., T], info: TaskInfo, result: InferResult, elapsed_ms: float) -> T:
        try:
            return read(info, result, elapsed_ms=elapsed_ms)
        except ServerError:
            # An answer unlike its description may come from another release: the next call asks for that anew.
            self._tasks.pop(info.name, None)
            raise

    def _ask(
        self, image: ImageInput, task: str, timeout_s: float | None, *, classifies: bool
    ) -> Steps[tuple[TaskInfo, InferResult, float]]:
        """Send the image to the task's model; the answer and the milliseconds that it took."""
        check_image(image)
        deadline = self.deadline(timeout_s, task)
        info = self._tasks.get(task) or (yield from self._task(task, deadline))
        info.require(classifies=classifies)
        encoded = yield from self._encoded(image, info, deadline)
        data = np.array([encoded], dtype=np.object_)
        started_s = time.perf_counter()
        try:
            result = yield from self.attempts.send(InferRequest(task, {"image": data}), deadline)
        except InvalidRequestError as error:
            if error.server_message is None:
                raise
            message = f"{name_image(image)}: refused by model {task!r} at {self._address}: {error.server_message}"
            raise InvalidImageError(
                message, model=task, server_message=error.server_message, status=error.status
            ) from error
        return info, result, (time.perf_counter() - started_s) * 1000

    def _encoded(self, image: ImageInput, info: TaskInfo, deadline: Deadline) -> Steps[bytes]:
        # Bytes are only checked; what is read or compressed must not hold up an event loop.
        if isinstance(image, bytes):
            return encode_image(image, info)
        try:
            encoded: bytes = yield Work(partial(encode_image, image, info), deadline.remaining_s())
        except TimeoutError:
            deadline.expire()
        return encoded
