"""A gRPC server in this process that speaks KServe v2 as Triton's `vessels` ensemble does, and fails on request."""

import json
import os
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack, contextmanager
from typing import Any

import cv2
import grpc
import numpy as np
import pytest
from fovea_client import Client
from tritonclient.grpc import model_config_pb2
from tritonclient.grpc import service_pb2 as messages
from tritonclient.grpc import service_pb2_grpc as services

CLASSES = [{"name": "background", "colour": [0, 0, 0]}, {"name": "vessel", "colour": [255, 0, 0]}]
LIMIT_BYTES = 200_000


class FakeTriton(services.GRPCInferenceServiceServicer):  # type: ignore[misc]
    """Answers with the picture's red channel: `probability` is it, `mask` is where it exceeds 127.

    `faults` maps a method to the status and message that it fails with, `failures_left` to how often, `delays_s` to how
    long it takes.
    """

    def __init__(self) -> None:
        self.address = ""
        self.live = self.ready = True
        self.faults: dict[str, tuple[grpc.StatusCode, str]] = {}
        self.delays_s: dict[str, float] = {}
        self.parameters = {
            "task": "vessels",
            "kind": "binary_segmentation",
            "classes": json.dumps(CLASSES),
            "max_image_bytes": str(LIMIT_BYTES),
        }
        self.replaced_outputs: dict[str, np.ndarray] = {}
        self.calls: list[str] = []
        self.peers: set[str] = set()
        self.headers: list[dict[str, str]] = []
        self.timeouts_s: list[float] = []
        self.failures_left: dict[str, int] = {}
        self.payloads: list[bytes] = []
        self.requests: list[Any] = []
        self.ended = threading.Event()

    def ServerLive(self, request: Any, context: Any) -> Any:  # noqa: N802
        self._enter("ServerLive", context)
        return messages.ServerLiveResponse(live=self.live)

    def ServerReady(self, request: Any, context: Any) -> Any:  # noqa: N802
        self._enter("ServerReady", context)
        return messages.ServerReadyResponse(ready=self.ready)

    def ModelReady(self, request: Any, context: Any) -> Any:  # noqa: N802
        self._enter("ModelReady", context)
        return messages.ModelReadyResponse(ready=self.ready)

    def ModelConfig(self, request: Any, context: Any) -> Any:  # noqa: N802
        self._enter("ModelConfig", context, request.name)
        config = model_config_pb2.ModelConfig(name=request.name)
        config.input.add(name="image")
        config.ensemble_scheduling.step.add(model_name="vessels_network")
        for key, value in self.parameters.items():
            config.parameters[key].string_value = value
        return messages.ModelConfigResponse(config=config)

    def ModelStatistics(self, request: Any, context: Any) -> Any:  # noqa: N802
        self._enter("ModelStatistics", context)
        reply = messages.ModelStatisticsResponse()
        model = reply.model_stats.add(name="vessels", version="3")
        stats = model.inference_stats
        stats.success.count, stats.success.ns, stats.fail.count = 4, 100, 1
        stats.queue.ns, stats.compute_input.ns, stats.compute_infer.ns, stats.compute_output.ns = 10, 20, 30, 40
        return reply

    def RepositoryIndex(self, request: Any, context: Any) -> Any:  # noqa: N802
        self._enter("RepositoryIndex", context)
        index = messages.RepositoryIndexResponse()
        index.models.add(name="vessels", version="1", state="READY")
        index.models.add(name="broken", version="2", state="UNAVAILABLE", reason="no such file")
        index.models.add(name="asleep")
        return index

    def ModelInfer(self, request: Any, context: Any) -> Any:  # noqa: N802
        self._enter("ModelInfer", context, request.model_name)
        self.requests.append(request)
        tensor = request.inputs[0]
        if (tensor.name, tensor.datatype, list(tensor.shape)) != ("image", "BYTES", [1]):
            context.abort(grpc.StatusCode.INVALID_ARGUMENT, f"unexpected input {tensor}")
        # One BYTES element on the wire: four bytes of length, then the element.
        payload = request.raw_input_contents[0][4:]
        self.payloads.append(payload)
        picture = cv2.imdecode(np.frombuffer(payload, np.uint8), cv2.IMREAD_COLOR)
        if picture is None:
            context.abort(grpc.StatusCode.INVALID_ARGUMENT, "in ensemble 'vessels', this is no image")
        return self._reply({"mask": np.uint8(picture[..., 2] > 127), "probability": picture[..., 2]}, request)

    def _reply(self, outputs: dict[str, np.ndarray], request: Any) -> Any:
        reply = messages.ModelInferResponse(model_name=request.model_name, model_version="3")
        outputs = outputs | self.replaced_outputs
        wanted = {output.name for output in request.outputs} or set(outputs)
        for name, array in outputs.items():
            if name in wanted:
                datatype = {"uint8": "UINT8", "float32": "FP32", "int32": "INT32", "int64": "INT64"}[array.dtype.name]
                reply.outputs.add(name=name, datatype=datatype, shape=array.shape)
                reply.raw_output_contents.append(array.tobytes())
        return reply

    def _enter(self, method: str, context: Any, model: str = "vessels") -> None:
        self.calls.append(method)
        self.peers.add(context.peer())
        self.headers.append(dict(context.invocation_metadata()))
        self.timeouts_s.append(context.time_remaining())
        self.ended.wait(self.delays_s.get(method, 0.0))
        if method in self.faults and self._still_fails(method):
            context.abort(*self.faults[method])
        if model != "vessels":
            context.abort(grpc.StatusCode.NOT_FOUND, f"Request for unknown model: '{model}' is not found")

    def _still_fails(self, method: str) -> bool:
        """For ever, unless `failures_left` says how often."""
        left = self.failures_left.get(method)
        if left is not None:
            self.failures_left[method] = left - 1
        return left is None or left > 0


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    # gRPC dials through a proxy of the environment, even to loopback.
    for name in [name for name in os.environ if name.lower().endswith("_proxy")]:
        monkeypatch.delenv(name)


@contextmanager
def listening(credentials: grpc.ServerCredentials | None = None) -> Iterator[FakeTriton]:
    """A server on a free port of this machine until the block ends."""
    fake = FakeTriton()
    unlimited = [("grpc.max_receive_message_length", -1)]
    with ThreadPoolExecutor(4) as pool:
        listener = grpc.server(pool, options=unlimited)
        services.add_GRPCInferenceServiceServicer_to_server(fake, listener)
        add = listener.add_insecure_port if credentials is None else listener.add_secure_port
        port = add("127.0.0.1:0", *([credentials] if credentials else []))
        fake.address = f"127.0.0.1:{port}"
        listener.start()
        yield fake
        fake.ended.set()
        listener.stop(None).wait()


@pytest.fixture
def server() -> Iterator[FakeTriton]:
    with listening() as fake:
        yield fake


@pytest.fixture
def servers() -> Iterator[list[FakeTriton]]:
    """Three servers that answer alike."""
    with ExitStack() as stack:
        yield [stack.enter_context(listening()) for _ in range(3)]


@pytest.fixture
def secure() -> Callable[[grpc.ServerCredentials], AbstractContextManager[FakeTriton]]:
    """Starts a server that speaks TLS."""
    return listening


@pytest.fixture
def client(server: FakeTriton) -> Iterator[Client]:
    with Client(server.address, timeout_s=5) as connected:
        yield connected


@pytest.fixture
def picture() -> np.ndarray:
    """23x37 RGB noise, different in every channel."""
    return np.random.default_rng(0).integers(0, 256, (23, 37, 3), dtype=np.uint8)
