"""The ways to ask a Triton server that `benchmarks.client` compares: each sends the same and decodes the whole answer.

The raw stubs are as little as Python can do: a message filled, sent and its tensors viewed as arrays, no check made.
"""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any

import grpc
import numpy as np
import numpy.typing as npt
from fovea_client import AsyncClient, Client
from tritonclient import grpc as triton
from tritonclient.grpc import aio as triton_aio
from tritonclient.grpc import service_pb2 as messages
from tritonclient.grpc import service_pb2_grpc as services

Array = npt.NDArray[Any]
TIMEOUT_S = 60.0
_DTYPES: dict[str, np.dtype[Any]] = {
    "FP32": np.dtype(np.float32),
    "INT64": np.dtype(np.int64),
    "UINT8": np.dtype(np.uint8),
}
_OPTIONS = [("grpc.use_local_subchannel_pool", 1), ("grpc.max_receive_message_length", -1)]


@dataclass(frozen=True)
class Question:
    """What every contender asks: a model, its only input, and the task's image where the model is a task."""

    model: str
    input: str
    array: Array
    image: bytes | None = None

    @classmethod
    def identity(cls) -> "Question":
        """Sixteen numbers to give back."""
        return cls("identity", "x", np.arange(16, dtype=np.float32)[np.newaxis])

    @classmethod
    def segmentation(cls, task: str, image: bytes) -> "Question":
        """An encoded picture to segment."""
        return cls(task, "image", np.array([image], dtype=np.object_), image)

    @property
    def datatype(self) -> str:
        """The input's data type in Triton's words."""
        return "FP32" if self.image is None else "BYTES"


@dataclass(frozen=True)
class Contender:
    """One way to ask; `ask` returns the answer or, where `waits`, what is awaited for it."""

    name: str
    ask: Callable[[], Any]
    waits: bool = False

    async def answer(self) -> Any:
        """Ask once; a synchronous contender blocks the event loop as it would block its thread."""
        return await self.ask() if self.waits else self.ask()


RAW, TRITON, FOVEA = "raw stub", "tritonclient", "fovea_client"
RAW_AIO, TRITON_AIO, FOVEA_AIO = f"{RAW}, asyncio", f"{TRITON}, asyncio", f"{FOVEA}, asyncio"


@asynccontextmanager
async def contenders(address: str, question: Question) -> AsyncIterator[dict[str, Contender]]:
    """Yield the six by name, each on a connection of its own."""
    async with AsyncExitStack() as stack:
        channel = stack.enter_context(grpc.insecure_channel(address, options=_OPTIONS))
        channel_aio = await stack.enter_async_context(grpc.aio.insecure_channel(address, options=_OPTIONS))
        client = stack.enter_context(triton.InferenceServerClient(address))
        client_aio = await stack.enter_async_context(triton_aio.InferenceServerClient(address))
        fovea = stack.enter_context(Client(address, timeout_s=TIMEOUT_S))
        fovea_aio = await stack.enter_async_context(AsyncClient(address, timeout_s=TIMEOUT_S))
        ways = [
            Contender(RAW, _stub(channel, question)),
            Contender(TRITON, _triton(client, question)),
            Contender(FOVEA, _fovea(fovea, question)),
            Contender(RAW_AIO, _stub_aio(channel_aio, question), waits=True),
            Contender(TRITON_AIO, _triton_aio(client_aio, question), waits=True),
            Contender(FOVEA_AIO, _fovea(fovea_aio, question), waits=True),
        ]
        yield {way.name: way for way in ways}


def _stub(channel: grpc.Channel, question: Question) -> Callable[[], Any]:
    infer = services.GRPCInferenceServiceStub(channel).ModelInfer
    return lambda: _arrays(infer(_message(question), timeout=TIMEOUT_S))


def _stub_aio(channel: grpc.aio.Channel, question: Question) -> Callable[[], Awaitable[Any]]:
    infer = services.GRPCInferenceServiceStub(channel).ModelInfer

    async def ask() -> dict[str, Array]:
        return _arrays(await infer(_message(question), timeout=TIMEOUT_S))

    return ask


def _message(question: Question) -> Any:
    request = messages.ModelInferRequest(model_name=question.model)
    request.inputs.add(name=question.input, datatype=question.datatype, shape=question.array.shape)
    image = question.image
    # One BYTES element on the wire: four bytes of length, then the element.
    raw = question.array.tobytes() if image is None else len(image).to_bytes(4, "little") + image
    request.raw_input_contents.append(raw)
    return request


def _arrays(reply: Any) -> dict[str, Array]:
    return {
        output.name: np.frombuffer(raw, _DTYPES[output.datatype]).reshape(output.shape)
        for output, raw in zip(reply.outputs, reply.raw_output_contents, strict=True)
    }


def _triton(client: triton.InferenceServerClient, question: Question) -> Callable[[], Any]:
    return lambda: _read(client.infer(question.model, _inputs(question), client_timeout=TIMEOUT_S))


def _triton_aio(client: triton_aio.InferenceServerClient, question: Question) -> Callable[[], Awaitable[Any]]:
    async def ask() -> dict[str, Array]:
        return _read(await client.infer(question.model, _inputs(question), client_timeout=TIMEOUT_S))

    return ask


def _inputs(question: Question) -> list[triton.InferInput]:
    tensor = triton.InferInput(question.input, question.array.shape, question.datatype)
    return [tensor.set_data_from_numpy(question.array)]


def _read(result: triton.InferResult) -> dict[str, Array]:
    return {output.name: result.as_numpy(output.name) for output in result.get_response().outputs}


def _fovea(client: Client | AsyncClient, question: Question) -> Callable[[], Any]:
    """The same words for both clients; the asynchronous one returns what is awaited."""
    image = question.image
    if image is None:
        return lambda: client.infer(question.model, {question.input: question.array})
    return lambda: client.segment(image, task=question.model)
