"""KEDA with a real Prometheus that reads the real pods: it follows the load, loses nothing, and can be switched."""

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import groupby
from typing import Any

import pytest
from chart_release import Placed, Release
from kube import HOME, SCRIPTS, Cluster, condition, until
from traffic import Traffic

pytestmark = pytest.mark.cluster
# Of the three triggers the rate decides here: what waits in queues depends on what else the machine does.
TRIGGERS = {"requestsPerSecond": 20, "queueMilliseconds": 60_000, "pendingRequests": 1000}


@pytest.fixture(scope="module")
def keda(cluster: Cluster) -> None:
    """KEDA and Prometheus beside the cluster's other daemons."""
    if not cluster.prefix:
        pytest.skip("with KUBECONFIG the cluster's own KEDA and Prometheus would be needed; unset it")
    if not (HOME / "bin" / "keda-adapter").exists():
        pytest.skip("KEDA is not built; run `make keda-build` (Go, seven minutes on two cores)")
    cluster.run("bash", str(SCRIPTS / "keda"), "--inside")


def scaled(most: int, stabilization_s: int) -> dict[str, Any]:
    prometheus = {"prometheusAddress": "http://127.0.0.1:9090", "pollingIntervalSeconds": 2, "window": "10s"}
    bounds = {"minReplicas": 1, "maxReplicas": most, "scaleDownStabilizationSeconds": stabilization_s}
    return {"autoscaling": {"type": "keda", **bounds, "keda": prometheus | TRIGGERS}}


def test_it_follows_the_load_up_and_down_without_flapping(
    keda: None, release: Release, releases: list[Placed], traffic: Callable[..., Traffic], record_property: Any
) -> None:
    one = {"replicas": 1, "replicasPolicy": "enforce"}
    release.deploy("--force-conflicts", **releases[0].values(), poolDefaults=one)
    release.wait_for(1)
    release.deploy(**releases[0].values(), **scaled(3, 15))
    with replicas_seen(release) as seen:
        with traffic(release, "--least-s", "40") as busy:  # 100 requests a second: five pods' worth, three are allowed
            release.wait_for(3)
            begun_s = time.monotonic()
            until("every trigger has a value", lambda: values_seen(release) == 3, 60)
            time.sleep(max(0.0, 20 - (time.monotonic() - begun_s)))
        with traffic(release, "--per-s", "2", "--least-s", "20") as calm:
            release.wait_for(1, timeout_s=300)
    record_property("replicas", json.dumps(seen))
    steps = [count for count, _ in groupby(seen)]
    top = steps.index(max(steps))
    assert (steps[0], steps[top], steps[-1]) == (1, 3, 1)
    assert steps == sorted(steps[:top]) + sorted(steps[top:], reverse=True), "it flapped"
    for asking in (busy, calm):
        record_property("traffic", asking.tallies)
        assert all(tally["failed"] == 0 for tally in asking.tallies.values()), asking.tallies


def test_switched_on_and_off_it_keeps_the_pods(keda: None, release: Release, releases: list[Placed]) -> None:
    two = {"replicas": 2, "replicasPolicy": "enforce"}
    release.deploy("--force-conflicts", **releases[0].values(), poolDefaults=two)
    before = names(release.wait_for(2))
    for _ in range(2):
        release.deploy(**releases[0].values(), **scaled(4, 300))
        until("KEDA scales it", lambda: autoscaler(release), 60)
        time.sleep(10)
        assert names(release.wait_for(2)) == before
        release.deploy(**releases[0].values(), autoscaling={"type": "none"}, poolDefaults={"replicas": 1})
        until("KEDA has let go", lambda: not release.cluster.get("hpa")["items"], 60)
        time.sleep(5)
        assert names(release.wait_for(2)) == before


@contextmanager
def replicas_seen(release: Release) -> Iterator[list[int]]:
    """How many pods the Deployment was told to have, twice a second."""
    seen: list[int] = []
    over = threading.Event()

    def look() -> None:
        while not over.wait(0.5):
            seen.append(release.cluster.get("deployment", release.deployment())["spec"]["replicas"])

    watcher = threading.Thread(target=look)
    watcher.start()
    try:
        yield seen
    finally:
        over.set()
        watcher.join()


def autoscaler(release: Release) -> dict[str, Any] | None:
    """The autoscaler that KEDA made, once it has metrics."""
    found: list[dict[str, Any]] = release.cluster.get("hpa")["items"]
    return next((each for each in found if condition(each, "ScalingActive")), None)


def values_seen(release: Release) -> int:
    """How many of its triggers the autoscaler has a value of."""
    metrics = (autoscaler(release) or {"status": {}})["status"].get("currentMetrics", [])
    return sum(bool(each.get("external", {}).get("current")) for each in metrics)


def names(pods: list[dict[str, Any]]) -> set[str]:
    return {pod["metadata"]["name"] for pod in pods}
