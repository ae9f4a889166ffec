"""Where the server spends a request's time, from Triton's own statistics before and after a load.

The client's latency less the server's mean is the network and the client. Triton's counts are sums over all requests
of all clients since it started, so they say means, and of other clients' requests too.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from loadtests.endpoint import Endpoint


@dataclass(frozen=True)
class Phases:
    """Of one model: requests between two looks, and microseconds for each that went into a phase, and into them all."""

    requests: int
    queue_us: float
    compute_input_us: float
    infer_us: float
    output_us: float
    total_us: float


@dataclass(frozen=True)
class ServerPhases:
    """The model that was asked and, where it is an ensemble, each of its models by name."""

    task: Phases
    models: Mapping[str, Phases]


Counts = Mapping[str, Phases]


def read_counts(endpoint: Endpoint) -> Counts | None:
    """Triton's sums so far, None where it does not say."""
    del endpoint
    return None


def server_phases(before: Counts | None, after: Counts | None, task: str) -> ServerPhases | None:
    """What happened between two looks, None where the server does not say or answered nothing."""
    del before, after, task
    return None
