"""capacity.json: what was found, for programs. The chart reads replicas and autoscaling targets from it.

    {"schema": "fovea.capacity/1", "complete": true, "task": …, "objectives": …, "machine": …,
     "capacities": [{"profile", "instances", "release", "limit", "capacity_rps", "interval_rps": [low, high],
                     "target": {"rate_rps", "queue_ms": {model: ms}, "pending", …}, "trials": […]}]}

Rates in requests per second. `capacity_rps` and `interval_rps` are null where no capacity was found; `limit` says why.
Whoever sizes a pool takes the lower bound, as `loadtests size` does.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from loadtests.capacity.measure import Search
from loadtests.capacity.pool import SCHEMA
from loadtests.capacity.search import Plan


def capacity_text(searches: Sequence[Search], plan: Plan, conditions: Mapping[str, Any]) -> str:
    """The JSON document; `conditions` are what the command adds: task, objectives, trial, machine, time."""
    document = {
        "schema": SCHEMA,
        "complete": all(search.found is not None for search in searches),
        **conditions,
        "confidence": plan.confidence,
        "capacities": [_entry(search) for search in searches],
    }
    return json.dumps(document, indent=2, allow_nan=False) + "\n"


def _entry(search: Search) -> dict[str, Any]:
    served, found = search.served, search.found
    capacity = found.capacity if found else None
    return {
        "profile": served.profile,
        "instances": served.instances,
        "release": served.release,
        "url": served.url,
        "limit": found.limit if found else None,
        "capacity_rps": _rounded(capacity.estimate) if capacity else None,
        "interval_rps": [_rounded(capacity.low), _rounded(capacity.high)] if capacity else None,
        "highest_met_rps": _rounded(found.highest_met_rps) if found else None,
        "target": asdict(search.target) if search.target else None,
        "trials": [asdict(trial) for trial in search.trials],
    }


def _rounded(rate_rps: float) -> float:
    return float(f"{rate_rps:.4g}")
