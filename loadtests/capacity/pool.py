"""From a capacity to a number of replicas, and to the load at which an autoscaler should add one."""

import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from loadtests.errors import InvalidCapacityError

SCHEMA = "fovea.capacity/1"


@dataclass(frozen=True)
class Replica:
    """What one replica carries: the lower bound of its capacity, and what an autoscaler sees at its target load."""

    task: str
    profile: str
    instances: int | None
    sure_rps: float
    queue_ms: float | None
    pending: float | None


@dataclass(frozen=True)
class Pool:
    """How many replicas carry a rate. `target_rps` is the load of one of them; `spare` replicas may be lost."""

    replicas: int
    spare: int
    target_rps: float
    utilisation: float


def replicas_for(rate_rps: float, replica: Replica, *, utilisation: float, spare: int) -> Pool:
    """The smallest pool that carries `rate_rps` with each replica at `utilisation` of its sure capacity or below, also
    when `spare` of them are gone; `utilisation` is over 0 and at most 1.
    """
    target_rps = utilisation * replica.sure_rps
    # A rate of exactly two targets needs two replicas, whatever rounding makes of the quotient.
    carrying = max(1, math.ceil(rate_rps / target_rps - 1e-9))
    return Pool(carrying + spare, spare, target_rps, utilisation)


def read_replicas(path: Path) -> list[Replica]:
    """Every replica whose capacity stands in a capacity.json, most capable first. Raises InvalidCapacityError."""
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
        if document["schema"] != SCHEMA:
            raise InvalidCapacityError(f"{path} has schema {document['schema']!r}, not {SCHEMA!r}: measure it anew.")
        replicas = [_replica(document["task"], entry) for entry in document["capacities"] if entry["interval_rps"]]
    except OSError as error:
        raise InvalidCapacityError(f"{path} cannot be read ({error.strerror}): give --capacity a file.") from None
    except (ValueError, KeyError, TypeError, IndexError, AttributeError):
        raise InvalidCapacityError(
            f"{path} is not what `loadtests capacity` writes: give --capacity such a file."
        ) from None
    return sorted(replicas, key=lambda replica: -replica.sure_rps)


def _replica(task: str, entry: dict[str, Any]) -> Replica:
    target = entry.get("target") or {}
    queue_ms, pending = target.get("queue_ms"), target.get("pending")
    if not 0 < (sure_rps := float(entry["interval_rps"][0])) < math.inf:
        raise ValueError("a capacity is a number over 0")
    return Replica(
        task=str(task),
        profile=str(entry["profile"]),
        instances=entry["instances"],
        sure_rps=sure_rps,
        queue_ms=None if queue_ms is None else float(sum(queue_ms.values())),
        pending=None if pending is None else float(pending),
    )
