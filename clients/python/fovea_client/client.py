"""The front door: an image in, a mask or a label out."""

import time
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Self

import numpy as np

from fovea_client.classification import Classification, classification
from fovea_client.deadline import Deadline
from fovea_client.errors import DeadlineExceededError, InvalidImageError, InvalidRequestError, ServerUnavailableError
from fovea_client.image import ImageInput, check_image, encode_image, name_image
from fovea_client.segmentation import Segmentation, segmentation
from fovea_client.task import ClassInfo, TaskInfo, task_info
from fovea_client.transport import GrpcTransport, InferResult, ModelStatus, Tensor, Transport

_POLL_INTERVAL_S = 0.1


class Client:
    """A connection to one endpoint; use it in a `with` block or call `close`. Threads may share it.

        with Client("localhost:8001") as client:
            vessels = client.segment(Path("eye.png")).mask

    Args:
        url: `host:port` or `grpc://host:port` of the server's gRPC port.
        timeout_s: seconds that one call may take, unless the call says otherwise.
        transport: what carries the calls in place of a gRPC connection, for a test; the client closes it.

    Raises:
        InvalidUrlError: the address cannot be used. A server that does not answer shows in the first call, not here.
    """

    def __init__(self, url: str, *, timeout_s: float = 10.0, transport: Transport | None = None) -> None:
        self._timeout_s = timeout_s
        self._transport = transport or GrpcTransport(url, timeout_s=timeout_s)
        self._url = url
        self._tasks: dict[str, TaskInfo] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Give the connection back; closing twice is fine, a call after it raises InvalidRequestError."""
        self._transport.close()

    def segment(self, image: ImageInput, *, task: str = "vessels", timeout_s: float | None = None) -> Segmentation:
        """The image's segmentation, at its own size.

        Args:
            image: a JPEG, PNG, TIFF or GIF file as bytes or as its path; or pixels, uint8 HxW grey or HxWx3 in RGB
                order (OpenCV reads BGR), which travel as lossless PNG.
            task: name of the task's model.
            timeout_s: seconds for the whole call, None for the client's own.

        Raises:
            InvalidImageError: the image was refused, here before sending or by the server.
            FoveaError: one of its other subclasses, see `fovea_client.errors`.
        """
        info, result, elapsed_ms = self._ask(image, task, timeout_s, classifies=False)
        return segmentation(info, result, elapsed_ms=elapsed_ms)

    def classify(
        self, image: ImageInput, *, task: str = "eye_disease", timeout_s: float | None = None
    ) -> Classification:
        """The image's class; arguments and errors as for `segment`."""
        info, result, elapsed_ms = self._ask(image, task, timeout_s, classifies=True)
        return classification(info, result, elapsed_ms=elapsed_ms)

    def infer(
        self,
        model: str,
        inputs: Mapping[str, Tensor],
        *,
        outputs: Sequence[str] | None = None,
        timeout_s: float | None = None,
    ) -> dict[str, Tensor]:
        """Any model's outputs by name, as read-only arrays.

        Args:
            model: name of the model.
            inputs: arrays by input name; a BYTES tensor is an array of dtype object that holds bytes.
            outputs: names of the outputs to send back, None for all.
            timeout_s: seconds for the call, None for the client's own.

        Raises:
            FoveaError: one of its subclasses, see `fovea_client.errors`.
        """
        return self._transport.infer(model, inputs, outputs=outputs, timeout_s=timeout_s).outputs

    def classes(self, task: str = "vessels") -> tuple[ClassInfo, ...]:
        """The task's classes by index, asked of the server once and then remembered."""
        return self._task(task, Deadline(self._timeout_s, address=self._url, model=task)).classes

    def ready(self) -> bool:
        """Whether the server is live and ready; one that cannot be reached in time is not."""
        try:
            return self._transport.server_ready()
        except (ServerUnavailableError, DeadlineExceededError):
            return False

    def wait_until_ready(self, timeout_s: float) -> None:
        """Return once the server is ready; raises ServerUnavailableError when it is not within `timeout_s` seconds."""
        deadline = Deadline(timeout_s, address=self._url)
        reason: Exception | None = None
        while True:
            try:
                if self._transport.server_ready(timeout_s=deadline.remaining_s()):
                    return
            except ServerUnavailableError as error:
                reason = error
            except DeadlineExceededError as error:
                message = f"server {self._url} is not ready after {timeout_s:g} s; {ServerUnavailableError.advice}"
                raise ServerUnavailableError(message) from (reason or error)
            time.sleep(_POLL_INTERVAL_S)

    def models(self) -> list[ModelStatus]:
        """Every model version of the server's repository with its state, ready or not."""
        return self._transport.index()

    def _task(self, name: str, deadline: Deadline) -> TaskInfo:
        if name not in self._tasks:
            self._tasks[name] = task_info(self._transport.config(name, timeout_s=deadline.remaining_s()))
        return self._tasks[name]

    def _ask(
        self, image: ImageInput, task: str, timeout_s: float | None, *, classifies: bool
    ) -> tuple[TaskInfo, InferResult, float]:
        """Send the image to the task's model; the answer and the milliseconds that it took."""
        check_image(image)
        deadline = Deadline(self._timeout_s if timeout_s is None else timeout_s, address=self._url, model=task)
        info = self._task(task, deadline)
        info.require(classifies=classifies)
        data = np.array([encode_image(image, max_bytes=info.max_image_bytes)], dtype=np.object_)
        started_s = time.perf_counter()
        try:
            result = self._transport.infer(task, {"image": data}, timeout_s=deadline.remaining_s())
        except InvalidRequestError as error:
            if error.server_message is None:
                raise
            message = f"{name_image(image)}: refused by model {task!r} at {self._url}: {error.server_message}"
            raise InvalidImageError(message, model=task, server_message=error.server_message) from error
        return info, result, (time.perf_counter() - started_s) * 1000
