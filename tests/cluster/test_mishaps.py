"""What goes wrong stays small: a wrong release is rolled back unseen, a killed server comes back."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from chart_release import Placed, Release
from kube import CommandError, until
from traffic import Traffic

pytestmark = pytest.mark.cluster
Start = Callable[..., Traffic]


@pytest.mark.parametrize("wrong", ["content", "image", "task"])
def test_a_release_that_is_not_the_one_named_is_rolled_back_unseen(
    release: Release, releases: list[Placed], traffic: Start, wrong: str
) -> None:
    values: dict[str, Any] = releases[1].values()
    if wrong == "content":
        values["modelRepository"]["digest"] = releases[0].content
    elif wrong == "image":
        values["modelRepository"]["image"]["digest"] = "sha256:" + "0" * 64
    else:
        values["tasks"] = ["eye_disease", "vessels"]
    before = pods(release)
    with traffic(release, "--per-s", "25", "--least-s", "10") as asking:
        done = release.deploy("--rollback-on-failure", check=False, timeout_s=30, **values)
        until("only the old pods are left", lambda: pods(release) == before, 90)
    assert done.returncode != 0
    assert all(tally["failed"] == 0 for tally in asking.tallies.values()), asking.tallies


def test_a_server_that_runs_out_of_memory_is_started_again(release: Release) -> None:
    name = release.wait_for(2)[0]["metadata"]["name"]
    # Linux ends who was marked: the server, as if the memory had been its own.
    greedy = (
        "for p in /proc/[0-9]*; do grep -q tritonserver $p/comm && echo 1000 > $p/oom_score_adj; done; "
        "exec python3 -c 'b = [bytearray(1 << 24) for _ in range(1 << 10)]'"
    )
    with pytest.raises(CommandError):
        release.cluster.kubectl("exec", name, "-c", "triton", "--", "/bin/bash", "-c", greedy)

    def ended() -> Any:
        status = next(
            each for each in release.cluster.get("pod", name)["status"]["containerStatuses"] if each["name"] == "triton"
        )
        return status["restartCount"] and status["lastState"].get("terminated")

    assert until("the server was ended", ended, 60)["reason"] == "OOMKilled"
    release.wait_for(2)


def test_a_pod_is_ready_only_while_its_models_are(release: Release) -> None:
    """A server that is told to unload a model is live but takes no more requests."""
    pod = release.wait_for(2)[0]
    conditions = {each["type"]: each["status"] for each in pod["status"]["conditions"]}
    assert conditions["Ready"] == "True"
    probe = pod["spec"]["containers"][0]["readinessProbe"]["exec"]["command"]
    missing = [*probe, "/v2/models/nobody_knows/ready"]
    release.cluster.kubectl("exec", pod["metadata"]["name"], "-c", "triton", "--", *probe)
    with pytest.raises(CommandError, match="nobody_knows"):
        release.cluster.kubectl("exec", pod["metadata"]["name"], "-c", "triton", "--", *missing)


def pods(release: Release) -> set[str]:
    """Names of the release's pods, those on their way out too."""
    items = json.loads(release.cluster.kubectl("get", "pods", "-l", release.selector, "-o", "json"))["items"]
    return {pod["metadata"]["name"] for pod in items}
