"""Asks one request of a load: which payload, over which connection, and whether the answer is right."""

import asyncio
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from fovea_client import FoveaError
from fovea_client.aio_transport import AioTransport
from fovea_client.requests import ConfigRequest, EncodedRequest, InferRequest, ModelConfig
from fovea_client.transport import decoded, encoded
from numpy.typing import NDArray

from loadtests.answers import IMAGE_INPUT
from loadtests.correctness import Checker
from loadtests.endpoint import Endpoint
from loadtests.images import read_payload


class Asker:
    """The requests of a load, made once, and the connections that they are sent over. Belongs to one event loop.

    `images` says for each request, by its index, which of `paths` it carries, and is repeated where there are more
    requests. Use `open` first.
    """

    def __init__(self, endpoint: Endpoint, paths: Sequence[Path], images: NDArray[np.int32], out: Path) -> None:
        self._endpoint = endpoint
        self._paths = paths
        self._images = images
        self._out = out
        self._transports: Sequence[AioTransport] = ()
        self._requests: Sequence[EncodedRequest] = ()

    async def open(self) -> None:
        """Connect, ask what the model takes and gives, and make the requests. Raises FoveaError."""
        endpoint = self._endpoint
        self._transports = [endpoint.connect_aio() for _ in range(endpoint.connections)]
        # Each connects at its first call, which must not be a measured one.
        question = ConfigRequest(endpoint.task)
        configs = await asyncio.gather(
            *(transport.send(question, timeout_s=endpoint.timeout_s) for transport in self._transports)
        )
        self._checker = Checker.of(configs[0], self._out)
        name = input_name(configs[0])
        # Encoding a payload costs more than sending it, and is the same every time.
        self._requests = [
            encoded(InferRequest(endpoint.task, {name: read_payload(path)}, self._checker.outputs), endpoint.timeout_s)
            for path in self._paths
        ]

    def image(self, index: int) -> int:
        """The place among the paths of the image that request `index` carries."""
        return int(self._images[index % len(self._images)])

    async def ask(self, index: int) -> bytes | Exception:
        """Send request `index`, wait, and return the answer, unread, or what went wrong instead."""
        transport = self._transports[index % len(self._transports)]
        try:
            answer: bytes = await transport.send(self._requests[self.image(index)], timeout_s=self._endpoint.timeout_s)
        # A defect of the generator must show in the report, not vanish with its task.
        except Exception as error:  # noqa: BLE001
            return error
        return answer

    def judge(self, index: int, answer: bytes | Exception) -> str | None:
        """None for a right answer to request `index`, or a sentence about what was wrong."""
        if isinstance(answer, FoveaError):
            return str(answer)
        if isinstance(answer, Exception):
            return f"{type(answer).__name__}: {answer}"
        try:
            outputs = decoded(answer, self._endpoint.task).outputs
            return self._checker.fault_in(index, self.image(index), outputs)
        except FoveaError as error:
            return str(error)
        except Exception as error:  # noqa: BLE001 - as in `ask`
            return f"{type(error).__name__}: {error}"

    async def close(self) -> None:
        """Close the connections."""
        await asyncio.gather(*(transport.close() for transport in self._transports))


def input_name(config: ModelConfig) -> str:
    """The input that takes the payload: the model's first; `image` where the server names none."""
    return config.inputs[0] if config.inputs else IMAGE_INPUT
