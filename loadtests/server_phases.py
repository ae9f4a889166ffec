"""Where the server spends a request's time, from Triton's own statistics before and after a load.

The client's latency less the server's mean is the network and the client. Triton's counts are sums over all requests
of all clients since it started, so they say means, and of other clients' requests too; the warm-up is among them.
"""

from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass

from fovea_client import FoveaError
from fovea_client.requests import ConfigRequest, ModelStatistics, StatisticsRequest

from loadtests.endpoint import Endpoint

_TIMEOUT_S = 1.0
_NS_PER_US = 1000


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
    """The model that was asked and, where it is an ensemble, each of its models by name, in their order."""

    task: Phases
    models: Mapping[str, Phases]


@dataclass(frozen=True)
class Counts:
    """Triton's sums at one moment, by model; `steps` are the models of an ensemble."""

    steps: tuple[str, ...]
    models: Mapping[str, ModelStatistics]


def read_counts(endpoint: Endpoint) -> Counts | None:
    """Triton's sums so far, None where it does not say within a second for each of two questions."""
    try:
        with closing(endpoint.connect()) as transport:
            config = transport.send(ConfigRequest(endpoint.task), timeout_s=_TIMEOUT_S)
            found = transport.send(StatisticsRequest(), timeout_s=_TIMEOUT_S)
    except FoveaError:
        return None
    return Counts(config.steps, {each.name: each for each in found})


def server_phases(before: Counts | None, after: Counts | None, task: str) -> ServerPhases | None:
    """What happened between two looks, None where the server does not say or answered nothing."""
    if before is None or after is None:
        return None
    found = {name: _phases(before.models.get(name), after.models.get(name)) for name in (task, *after.steps)}
    known = {name: phases for name, phases in found.items() if phases is not None}
    asked = known.pop(task, None)
    return None if asked is None else ServerPhases(asked, known)


def _phases(before: ModelStatistics | None, after: ModelStatistics | None) -> Phases | None:
    if after is None:
        return None
    # A server that was started anew in between counts from zero.
    begun = before if before is not None and before.requests <= after.requests else None
    requests = after.requests - (begun.requests if begun else 0)
    if not requests:
        return None
    names = ("queue_ns", "compute_input_ns", "infer_ns", "output_ns", "total_ns")
    spent_ns = [getattr(after, name) - (getattr(begun, name) if begun else 0) for name in names]
    return Phases(requests, *(time_ns / requests / _NS_PER_US for time_ns in spent_ns))
