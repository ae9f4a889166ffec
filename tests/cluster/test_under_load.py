"""What a platform does to pods every day costs no request: 50 a second from each of two clients, one never retries."""

from collections.abc import Callable
from typing import Any

import pytest
from chart_release import Placed, Release
from kube import HOME, Cluster, until
from traffic import Traffic

pytestmark = pytest.mark.cluster
Start = Callable[..., Traffic]


@pytest.fixture(scope="module")
def other_image(cluster: Cluster, server_image: str) -> str:
    """The CPU image under another tag, on both nodes."""
    other = server_image.rpartition(":")[0] + ":other"
    for node in ("node1", "node2"):
        socket = str(HOME / "state" / node / "containerd.sock")
        cluster.run("ctr", "-a", socket, "-n", "k8s.io", "images", "tag", "--force", server_image, other)
    return other


def assert_none_failed(traffic: Traffic, record: Callable[[str, Any], None]) -> None:
    for name, tally in traffic.tallies.items():
        record(name, tally)
        assert tally["sent"] >= 3000
        assert tally["failed"] == 0, (name, tally)


@pytest.mark.parametrize("headless", [True, False], ids=["round robin", "cluster IP"])
def test_a_rolling_restart(release: Release, traffic: Start, record_property: Any, headless: bool) -> None:
    with traffic(release, headless=headless) as asking:
        release.cluster.kubectl("rollout", "restart", f"deployment/{release.deployment()}")
        release.cluster.kubectl("rollout", "status", f"deployment/{release.deployment()}", "--timeout=240s")
        release.wait_for(2)
    assert_none_failed(asking, record_property)


def test_another_image_and_other_values(
    release: Release, releases: list[Placed], traffic: Start, record_property: Any, other_image: str
) -> None:
    with traffic(release) as asking:
        tag = other_image.rpartition(":")[2]
        release.deploy(**releases[0].values(), image={"tag": tag}, server={"http": {"enabled": True}})
        served = {container(pod)["image"] for pod in release.wait_for(2)}
        offers = {port["name"] for pod in release.wait_for(2) for port in container(pod)["ports"]}
        release.deploy(**releases[0].values())
        assert other_image not in {container(pod)["image"] for pod in release.wait_for(2)}
    assert_none_failed(asking, record_property)
    assert served == {other_image}
    assert "http" in offers


def test_another_release_of_the_models_and_back(
    release: Release, releases: list[Placed], traffic: Start, record_property: Any
) -> None:
    with traffic(release) as asking:
        release.deploy(**releases[1].values())
        served = digests(release)
        release.cluster.helm("rollback", release.name, "--wait", "--timeout=240s")
        back = digests(release)
    assert_none_failed(asking, record_property)
    assert served == {releases[1].image}
    assert back == {releases[0].image}


def test_a_canary_is_tried_and_promoted(
    release: Release, releases: list[Placed], traffic: Start, record_property: Any
) -> None:
    canary = {"enabled": True, "by": "replicas", "weight": 33, **releases[1].values()}
    with traffic(release) as asking:
        release.deploy(**releases[0].values(), canary=canary)
        assert digests(release) == {releases[0].image, releases[1].image}
        release.deploy(**releases[1].values())
        until("only the promoted one is served", lambda: digests(release) == {releases[1].image}, 60)
    assert_none_failed(asking, record_property)


def test_fewer_and_more_pods(release: Release, traffic: Start, record_property: Any) -> None:
    with traffic(release) as asking:
        for count in (3, 1, 2):
            release.cluster.kubectl("scale", f"deployment/{release.deployment()}", f"--replicas={count}")
            release.wait_for(count)
    assert_none_failed(asking, record_property)


def test_a_drained_node(release: Release, traffic: Start, record_property: Any) -> None:
    node = release.wait_for(2)[0]["spec"]["nodeName"]
    with traffic(release) as asking:
        try:
            release.cluster.kubectl(
                "drain", node, "--ignore-daemonsets", "--delete-emptydir-data", "--timeout=240s",
                f"--pod-selector={release.selector}",
            )  # fmt: skip
            assert all(pod["spec"]["nodeName"] != node for pod in release.wait_for(2))
        finally:
            release.cluster.kubectl("uncordon", node)
    assert_none_failed(asking, record_property)


def test_a_killed_server_loses_what_is_in_flight_on_it_at_most(
    release: Release, traffic: Start, record_property: Any
) -> None:
    kill = "for p in /proc/[0-9]*; do grep -q tritonserver $p/comm && kill -9 ${p#/proc/}; done"
    with traffic(release) as asking:
        victim = release.wait_for(2)[0]["metadata"]["name"]
        # The shell may end with the server: what proves the kill is the restart.
        release.cluster.run(
            "kubectl", "-n", release.cluster.namespace, "exec", victim, "-c", "triton", "--", "/bin/bash", "-c", kill,
            check=False,
        )  # fmt: skip
        until("it was started again", lambda: restarts(release, victim) > 0, 60)
        release.wait_for(2)
    for name, tally in asking.tallies.items():
        record_property(name, tally)
    assert asking.tallies["retries"]["failed"] == 0, asking.tallies
    lost = asking.tallies["no_retries"]["failed_s"]
    if lost:  # whoever was lost was under way when the first of them broke off
        first_end_s = min(ended_s for _, ended_s in lost)
        assert all(sent_s <= first_end_s + 0.1 for sent_s, _ in lost), asking.tallies


def container(pod: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = pod["spec"]["containers"][0]
    return found


def restarts(release: Release, pod: str) -> int:
    """How often the pod's server was started again."""
    statuses = release.cluster.get("pod", pod)["status"]["containerStatuses"]
    return sum(int(each["restartCount"]) for each in statuses)


def digests(release: Release) -> set[str]:
    """Digests of the release images that the ready pods mount."""
    return {
        volume["image"]["reference"].partition("@")[2]
        for pod in release.cluster.ready_pods(release.selector)
        for volume in pod["spec"]["volumes"]
        if "image" in volume
    }
