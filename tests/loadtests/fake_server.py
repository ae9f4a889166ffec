"""A gRPC server that answers like Triton's `vessels` ensemble, and misbehaves on request.

A process of its own: the tests' process must stay free of gevent, and a server has to be killable. Prints its port.
"""

import argparse
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc
from tritonclient.grpc import model_config_pb2
from tritonclient.grpc import service_pb2 as messages
from tritonclient.grpc import service_pb2_grpc as services

SHAPE = (48, 64)


class FakeTriton(services.GRPCInferenceServiceServicer):  # type: ignore[misc]
    def __init__(self, options: argparse.Namespace) -> None:
        self.options = options
        self.started_s = time.monotonic()
        self.answered = 0
        self.kept: list[bytearray] = []

    def ServerLive(self, request: Any, context: Any) -> Any:  # noqa: N802
        return messages.ServerLiveResponse(live=True)

    def ServerReady(self, request: Any, context: Any) -> Any:  # noqa: N802
        return messages.ServerReadyResponse(ready=not self.options.not_ready)

    def ModelConfig(self, request: Any, context: Any) -> Any:  # noqa: N802
        if request.name != "vessels":
            context.abort(grpc.StatusCode.NOT_FOUND, f"Request for unknown model: '{request.name}' is not found")
        config = model_config_pb2.ModelConfig(name="vessels")
        for name in ("mask", "probability"):
            config.output.add(name=name)
        return messages.ModelConfigResponse(config=config)

    def ModelInfer(self, request: Any, context: Any) -> Any:  # noqa: N802
        time.sleep(self.options.delay_s + self._stall_left_s())
        self.answered += 1
        self.kept.append(bytearray(1024 * self.options.leak_kib))
        return self._answer()

    def _stall_left_s(self) -> float:
        """Everything that arrives within the last `stall_s` of each period waits for the period's end."""
        if not self.options.stall_s:
            return 0.0
        left_s = self.options.stall_every_s - (time.monotonic() - self.started_s) % self.options.stall_every_s
        return left_s if left_s < self.options.stall_s else 0.0

    def _answer(self) -> Any:
        shapes = {"mask": SHAPE, "probability": SHAPE[::-1] if self.options.wrong_answer else SHAPE}
        answer = messages.ModelInferResponse(model_name="vessels", model_version="1")
        for name, shape in shapes.items():
            answer.outputs.add(name=name, datatype="UINT8", shape=shape)
            answer.raw_output_contents.append(self._level() * (shape[0] * shape[1]))
        return answer

    def _level(self) -> bytes:
        """Background, until so many answers were given: then the mask is another one, in the right form."""
        wrong = self.options.wrong_after is not None and self.answered > self.options.wrong_after
        return b"\x01" if wrong else b"\x00"


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, default=0)
    for name in ("--delay-s", "--stall-s"):
        parser.add_argument(name, type=float, default=0.0)
    parser.add_argument("--stall-every-s", type=float, default=3.0)
    parser.add_argument("--wrong-answer", action="store_true")
    parser.add_argument("--wrong-after", type=int)
    parser.add_argument("--leak-kib", type=int, default=0, help="memory that each request keeps")
    parser.add_argument("--not-ready", action="store_true")
    return parser.parse_args()


def main() -> None:
    options = _options()
    server = grpc.server(ThreadPoolExecutor(max_workers=200))
    services.add_GRPCInferenceServiceServicer_to_server(FakeTriton(options), server)
    port = server.add_insecure_port(f"127.0.0.1:{options.port}")
    server.start()
    print(port, flush=True)  # noqa: T201
    server.wait_for_termination()


if __name__ == "__main__":
    main()
