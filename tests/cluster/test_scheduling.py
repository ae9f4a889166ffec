"""Where GPU pods land and why some wait: on nodes that exist on paper, so that no GPU is needed."""

import json
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from chart_release import Release
from kube import SCRIPTS, Cluster, until

pytestmark = pytest.mark.cluster
PAPER = {"key": "kwok.x-k8s.io/node", "operator": "Exists", "effect": "NoSchedule"}
DIGEST = {"modelRepository": {"image": {"repository": "localhost/paper", "digest": "sha256:" + "1" * 64}}}


def pool(product: str, replicas: int = 1, gpus: int = 1, **more: Any) -> dict[str, Any]:
    gpu = {"count": gpus, "product": product}
    return {"gpu": gpu, "replicas": replicas, "tolerations": [PAPER], "nodeSelector": {"type": "kwok"}, **more}


@pytest.fixture(scope="module")
def l4_nodes(cluster: Cluster) -> Iterator[None]:
    """Two more nodes, with another GPU."""
    cluster.run("bash", str(SCRIPTS / "gpu-nodes"), "201", "202", "NVIDIA-L4")
    yield
    cluster.kubectl("delete", "node", "gpu-201", "gpu-202")


@pytest.fixture
def paper(namespace: Cluster, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Release]:
    """A release whose pods are on paper; it is uninstalled afterwards."""
    made = Release(replace(namespace), tmp_path, name=f"r{abs(hash(request.node.name)) % 10**6}")
    yield made
    made.cluster.helm("uninstall", made.name, "--wait", "--timeout=120s", check=False)


def test_pools_go_to_the_nodes_that_have_their_gpu(paper: Release, l4_nodes: None) -> None:
    paper.deploy(**DIGEST, pools={"main": pool("NVIDIA-H200", 3), "small": pool("NVIDIA-L4", 2)})
    placed = {(pod["metadata"]["labels"]["fovea.io/pool"], product_of(paper, pod)) for pod in paper.wait_for(5)}
    assert placed == {("main", "NVIDIA-H200"), ("small", "NVIDIA-L4")}


def test_pods_are_spread_over_zones_and_nodes(paper: Release) -> None:
    paper.deploy(**DIGEST, pools={"main": pool("NVIDIA-H200", 6)})
    assert Counter(pod["spec"]["nodeName"] for pod in paper.wait_for(6)) == {"gpu-1": 2, "gpu-2": 2, "gpu-3": 2}


def test_a_pod_of_nine_gpus_waits_and_says_why(paper: Release) -> None:
    paper.deploy("--wait=false", **DIGEST, pools={"main": pool("NVIDIA-H200", 1, 9)})

    def reason() -> str:
        waiting = [pod["status"].get("conditions", []) for pod in paper.cluster.pods(paper.selector)]
        return " ".join(each.get("message", "") for conditions in waiting for each in conditions)

    until("the scheduler said why", lambda: "Insufficient nvidia.com/gpu" in reason(), 30)
    assert not any(pod["spec"].get("nodeName") for pod in paper.cluster.pods(paper.selector))


def test_no_pod_goes_where_its_taint_is_not_tolerated(paper: Release) -> None:
    paper.deploy("--wait=false", **DIGEST, pools={"main": pool("NVIDIA-H200") | {"tolerations": []}})
    until("a pod waits", lambda: paper.cluster.pods(paper.selector), 30)
    time.sleep(2)
    assert not any(pod["spec"].get("nodeName") for pod in paper.cluster.pods(paper.selector))


def test_a_quota_of_gpus_holds(paper: Release) -> None:
    hard = {"spec": {"hard": {"requests.nvidia.com/gpu": "2"}}}
    quota = {"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "gpus"}} | hard
    paper.cluster.apply(quota)
    try:
        paper.deploy("--wait=false", **DIGEST, pools={"main": pool("NVIDIA-H200", 3)})
        until("two pods", lambda: len(paper.cluster.ready_pods(paper.selector)) == 2, 60)
        events = paper.cluster.kubectl("get", "events", "--field-selector=reason=FailedCreate")
        assert "exceeded quota" in events
    finally:
        paper.cluster.kubectl("delete", "quota", "gpus")


def test_a_full_pool_rolls_out_when_an_old_pod_may_go_first(paper: Release) -> None:
    full = {"main": pool("NVIDIA-H200", 3, 8, rollout={"strategy": "replace"})}
    paper.deploy(**DIGEST, pools=full)
    before = names(paper)
    paper.deploy(**DIGEST, pools=full, poolDefaults={"podAnnotations": {"example.org/changed": "yes"}})
    assert not before & names(paper)


def test_switching_autoscaling_on_and_off_keeps_the_pods(paper: Release) -> None:
    pools = {"main": pool("NVIDIA-H200", 2)}
    scaled = {"type": "hpa", "minReplicas": 1, "maxReplicas": 6}
    paper.deploy(**DIGEST, pools=pools)
    paper.cluster.kubectl("scale", f"deployment/{paper.deployment()}", "--replicas=5")
    paper.wait_for(5)
    for autoscaling in (scaled, {"type": "none"}, scaled):
        paper.deploy(**DIGEST, pools=pools, autoscaling=autoscaling)
        assert len(paper.wait_for(5)) == 5


def test_a_drain_of_a_full_release_comes_to_its_end(paper: Release) -> None:
    paper.deploy(**DIGEST, pools={"main": pool("NVIDIA-H200", 3)})
    node = paper.wait_for(3)[0]["spec"]["nodeName"]
    try:
        paper.cluster.kubectl("drain", node, "--delete-emptydir-data", "--force", "--timeout=120s")
        assert all(pod["spec"]["nodeName"] != node for pod in paper.wait_for(3))
    finally:
        paper.cluster.kubectl("uncordon", node)


def test_a_thousand_pods(paper: Release, cluster: Cluster, record_property: Any) -> None:
    """1,000 pods on 125 nodes: what installing, scaling and upgrading take, and what that costs the API server."""
    cluster.run("bash", str(SCRIPTS / "gpu-nodes"), "4", "125")
    pools = {"main": pool("NVIDIA-H200", 500, rollout={"strategy": "replace", "atOnce": 100})}
    try:
        for step, replicas, note in (("install", 500, "a"), ("scale", 1000, "a"), ("upgrade", 1000, "b")):
            pools["main"]["replicas"] = replicas
            begun_s, cpu_s = time.monotonic(), api_server_cpu_s(cluster)
            # Helm 4's own wait follows every pod and takes most of a core, which here is half of what the cluster has.
            paper.deploy("--wait=hookOnly", **DIGEST, pools=pools, poolDefaults=annotated(note))
            paper.cluster.kubectl("rollout", "status", f"deployment/{paper.deployment()}", timeout_s=500)
            assert len(paper.cluster.ready_pods(paper.selector)) == replicas
            cost = {
                "seconds": round(time.monotonic() - begun_s, 1),
                "cpu_s": round(api_server_cpu_s(cluster) - cpu_s, 1),
            }
            record_property(step, json.dumps(cost))
    finally:
        paper.cluster.helm("uninstall", paper.name, check=False)
        remove_pods(paper)
        cluster.kubectl("delete", "node", "--wait=false", *(f"gpu-{number}" for number in range(4, 126)))


def remove_pods(release: Release) -> None:
    """Have an uninstalled release's pods gone by one call: collecting a thousand takes more than a minute."""
    # Before their ReplicaSets are gone, those would make them anew.
    release.cluster.kubectl("wait", "--for=delete", "replicasets", "-l", release.selector, "--timeout=120s")
    here = f"/api/v1/namespaces/{release.cluster.namespace}/pods?labelSelector={quote(release.selector)}"
    release.cluster.kubectl("delete", "--raw", f"{here}&gracePeriodSeconds=0")
    # One pod tells; all of them as JSON, again and again, would be most of the work.
    first = f"{here}&limit=1"
    until("they are gone", lambda: not json.loads(release.cluster.kubectl("get", "--raw", first))["items"], every_s=2)


def annotated(step: str) -> dict[str, Any]:
    return {"podAnnotations": {"example.org/step": step}}


def api_server_cpu_s(cluster: Cluster) -> float:
    """CPU seconds that the API server has used."""
    lines = cluster.kubectl("get", "--raw", "/metrics").splitlines()
    return float(next(line for line in lines if line.startswith("process_cpu_seconds_total")).split()[1])


def names(release: Release) -> set[str]:
    return {pod["metadata"]["name"] for pod in release.cluster.pods(release.selector)}


def product_of(release: Release, pod: dict[str, Any]) -> str:
    return str(release.cluster.get("node", pod["spec"]["nodeName"])["metadata"]["labels"]["nvidia.com/gpu.product"])
