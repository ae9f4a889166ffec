"""What a server spends on one request, as it tells in the output `server_us`.

Triton hands no response parameter of an ensemble's step on to the caller, and its statistics are sums over all
requests; so the ensemble's own Python models measure themselves and the times travel as a tensor.
"""

from dataclasses import dataclass

import numpy as np

from fovea_client.errors import ServerError
from fovea_client.requests import InferResult

OUTPUT = "server_us"


@dataclass(frozen=True, slots=True)
class ServerTimings:
    """Milliseconds that one request spent in the server's steps.

    What `elapsed_ms` is above their sum went into the network, into encoding and decoding messages and into the queue
    before the first step.

    Attributes:
        preprocess_ms: decoding the file and fitting it to the network.
        network_ms: from the end of that to the begin of the postprocessing: waiting in the batcher's queue included.
        postprocess_ms: bringing the network's answer to the image's own size.
    """

    preprocess_ms: float
    network_ms: float
    postprocess_ms: float


def server_timings(result: InferResult, model: str) -> ServerTimings | None:
    """The times in an answer, None where there are none; raises ServerError when they are not three INT64."""
    times_us = result.outputs.get(OUTPUT)
    if times_us is None:
        return None
    if times_us.dtype != np.int64 or times_us.shape != (3,):
        found = f"{times_us.dtype} of shape {times_us.shape}"
        raise ServerError(f"model {model!r}: output {OUTPUT!r} is {found}, expected int64 (3,)", model=model)
    return ServerTimings(*(float(time_us) / 1000 for time_us in times_us))
