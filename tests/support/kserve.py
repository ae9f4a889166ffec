"""A light gRPC server that speaks KServe v2: the models `identity` and `vessels`, counted attempts, faults on request.

In this process for what a test counts and changes, or a process of its own that can be killed (`python kserve.py`).
"""

import argparse
import json
import threading
import time
import zlib
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import grpc
import numpy as np
from tritonclient.grpc import model_config_pb2
from tritonclient.grpc import service_pb2 as messages
from tritonclient.grpc import service_pb2_grpc as services

SHAPE = (4, 6)
PARAMETERS = {
    "task": "vessels",
    "kind": "binary_segmentation",
    "classes": json.dumps([{"name": "background", "colour": [0, 0, 0]}, {"name": "vessel", "colour": [0, 255, 0]}]),
    "max_image_bytes": "1000000",
}


def level(image: bytes) -> int:
    """The probability that `vessels` answers for these bytes, everywhere: an answer shows whose it is."""
    return zlib.crc32(image) % 256


class LightTriton(services.GRPCInferenceServiceServicer):  # type: ignore[misc]
    """Answers at once unless told otherwise.

    Attributes:
        attempts: how often each method was called, whatever came of it.
        failure, fail_every: status that each so-many-th ModelInfer fails with, None for an answer.
        delay_s: seconds that ModelInfer takes.
        headers, remaining_s: the metadata and the time left, in seconds, that the last ModelInfer came with.
        serving: what the health service says.
    """

    def __init__(self, *, delay_s: float = 0.0) -> None:
        self.attempts: Counter[str] = Counter()
        self.failure: grpc.StatusCode | None = None
        self.fail_every = 1
        self.headers: dict[str, str] = {}
        self.remaining_s: float | None = None
        self.delay_s = delay_s
        self.serving = True
        self.ended = threading.Event()
        self._counting = threading.Lock()

    def ServerLive(self, request: Any, context: Any) -> Any:  # noqa: N802
        self._count("ServerLive")
        return messages.ServerLiveResponse(live=True)

    def ServerReady(self, request: Any, context: Any) -> Any:  # noqa: N802
        self._count("ServerReady")
        return messages.ServerReadyResponse(ready=self.serving)

    def ModelReady(self, request: Any, context: Any) -> Any:  # noqa: N802
        self._count("ModelReady")
        return messages.ModelReadyResponse(ready=self.serving)

    def ModelMetadata(self, request: Any, context: Any) -> Any:  # noqa: N802
        self._count("ModelMetadata")
        reply = messages.ModelMetadataResponse(name=request.name, versions=["1"], platform="ensemble")
        reply.inputs.add(name="image", datatype="BYTES", shape=[1])
        for name in ("mask", "probability"):
            reply.outputs.add(name=name, datatype="UINT8", shape=[-1, -1])
        return reply

    def ModelConfig(self, request: Any, context: Any) -> Any:  # noqa: N802
        self._count("ModelConfig")
        config = model_config_pb2.ModelConfig(name=request.name)
        for key, value in PARAMETERS.items():
            config.parameters[key].string_value = value
        return messages.ModelConfigResponse(config=config)

    def RepositoryIndex(self, request: Any, context: Any) -> Any:  # noqa: N802
        self._count("RepositoryIndex")
        index = messages.RepositoryIndexResponse()
        for name in ("identity", "vessels"):
            index.models.add(name=name, version="1", state="READY")
        return index

    def ModelInfer(self, request: Any, context: Any) -> Any:  # noqa: N802
        attempt = self._count("ModelInfer")
        self.headers = dict(context.invocation_metadata())
        self.remaining_s = context.time_remaining()
        if self.delay_s:
            self.ended.wait(self.delay_s)
        if self.failure is not None and attempt % self.fail_every == 0:
            context.abort(self.failure, "planted")
        return _identity(request) if request.model_name == "identity" else _vessels(request)

    def watch_health(self, request: bytes, context: Any) -> Iterator[bytes]:
        """grpc.health.v1.Health/Watch: SERVING (1) or NOT_SERVING (2) in field 1, once and whenever it changes."""
        said: bool | None = None
        while context.is_active() and not self.ended.is_set():
            if said is not self.serving:
                said = self.serving
                yield b"\x08\x01" if said else b"\x08\x02"
            self.ended.wait(0.02)

    def _count(self, method: str) -> int:
        with self._counting:
            self.attempts[method] += 1
            return self.attempts[method]


def _identity(request: Any) -> Any:
    reply = messages.ModelInferResponse(model_name="identity", model_version="1", id=request.id)
    for tensor in request.inputs:
        reply.outputs.add(name=tensor.name, datatype=tensor.datatype, shape=tensor.shape)
    reply.raw_output_contents.extend(request.raw_input_contents)
    return reply


def _vessels(request: Any) -> Any:
    reply = messages.ModelInferResponse(model_name=request.model_name, model_version="1", id=request.id)
    # One BYTES element on the wire: four bytes of length, then the element.
    shade = level(request.raw_input_contents[0][4:])
    for name, value in (("mask", shade > 127), ("probability", shade)):
        reply.outputs.add(name=name, datatype="UINT8", shape=SHAPE)
        reply.raw_output_contents.append(np.full(SHAPE, value, np.uint8).tobytes())
    return reply


@contextmanager
def serve(light: LightTriton, port: int = 0, *, health: bool = False) -> Iterator[str]:
    """Serve on 127.0.0.1 and yield `host:port`; at the end every connection is cut."""
    with ThreadPoolExecutor(64) as pool:
        listener = grpc.server(pool, options=[("grpc.so_reuseport", 0)])
        services.add_GRPCInferenceServiceServicer_to_server(light, listener)
        if health:
            watch = grpc.unary_stream_rpc_method_handler(light.watch_health)
            listener.add_generic_rpc_handlers(
                (grpc.method_handlers_generic_handler("grpc.health.v1.Health", {"Watch": watch}),)
            )
        bound = listener.add_insecure_port(f"127.0.0.1:{port}")
        listener.start()
        try:
            yield f"127.0.0.1:{bound}"
        finally:
            light.ended.set()
            listener.stop(None).wait()


def main() -> None:
    """Serve until killed; prints the address when it listens."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--delay-s", type=float, default=0.0)
    options = parser.parse_args()
    with serve(LightTriton(delay_s=options.delay_s), options.port) as address:
        print(address, flush=True)  # noqa: T201
        while True:
            time.sleep(60)


if __name__ == "__main__":
    main()
