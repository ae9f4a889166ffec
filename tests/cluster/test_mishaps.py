"""What goes wrong stays small: a wrong release is rolled back unseen, a killed server comes back."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from chart_release import TASK, Placed, Release
from kube import until
from traffic import Traffic

pytestmark = pytest.mark.cluster
Start = Callable[..., Traffic]


# What a node says of a pod that it refuses to start so.
REFUSED = {"content": "failed container verify", "image": "Failed to pull image", "task": "failed container verify"}


def events(release: Release) -> dict[str, str]:
    """What the namespace's events say, by their names."""
    return {each["metadata"]["name"]: each["message"] for each in release.cluster.get("events")["items"]}


@pytest.mark.parametrize("wrong", list(REFUSED))
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
    before, told = pods(release), events(release)
    with traffic(release, "--per-s", "25", "--least-s", "10") as asking:
        done = release.deploy("--rollback-on-failure", check=False, timeout_s=20, **values)
        until("only the old pods are left", lambda: pods(release) == before, 90)
    assert done.returncode != 0
    new = [message for name, message in events(release).items() if name not in told]
    assert any(REFUSED[wrong] in message for message in new), f"{wrong}: refused for another reason: {new}"
    assert all(tally["failed"] == 0 for tally in asking.tallies.values()), asking.tallies


def test_a_server_that_runs_out_of_memory_is_started_again(release: Release) -> None:
    name = release.wait_for(2)[0]["metadata"]["name"]
    # A request too large for the pod's memory: the server takes its bytes until Linux ends it, and this shell with it.
    greedy = (
        f"exec 3<> /dev/tcp/127.0.0.1/8000; printf 'POST /v2/models/{TASK}/infer HTTP/1.1\\r\\nHost: x\\r\\n"
        "Content-Length: 4000000000\\r\\n\\r\\n' >&3; head -c 4000000000 /dev/zero >&3"
    )
    execute = ("kubectl", "-n", release.cluster.namespace, "exec", name, "-c", "triton", "--", "/bin/bash", "-c")
    assert release.cluster.run(*execute, greedy, check=False).returncode != 0

    def ended() -> Any:
        status = next(
            each for each in release.cluster.get("pod", name)["status"]["containerStatuses"] if each["name"] == "triton"
        )
        return status["restartCount"] and status["lastState"].get("terminated")

    assert until("the server was ended", ended, 60)["reason"] == "OOMKilled"
    release.wait_for(2)


def test_a_pod_is_ready_only_while_its_models_are(release: Release) -> None:
    """The server calls itself ready when a model was unloaded; the probe that asks for each task does not."""
    control_models(release)  # which the chart refuses
    pod = release.wait_for(2)[0]["metadata"]["name"]
    assert control(release, pod, "unload") == 200
    until("it is not ready", lambda: pod not in names(release.cluster.ready_pods(release.selector)), 60)
    assert asked(release, pod, "/v2/health/ready")
    assert not asked(release, pod, f"/v2/models/{TASK}/ready")
    assert pod not in addresses(release)
    assert control(release, pod, "load") == 200
    assert pod in names(release.wait_for(2))
    until("it is called again", lambda: pod in addresses(release), 30)
    assert sum(each["restartCount"] for each in release.cluster.get("pod", pod)["status"]["containerStatuses"]) == 0


def control_models(release: Release) -> None:
    """Have the servers obey who loads and unloads models."""
    at = "/spec/template/spec/containers/0/args/-"
    flags = ("--model-control-mode=explicit", "--load-model=*")
    patch = json.dumps([{"op": "add", "path": at, "value": flag} for flag in flags])
    release.cluster.kubectl("patch", "deployment", release.deployment(), "--type=json", f"--patch={patch}")
    release.cluster.kubectl("rollout", "status", f"deployment/{release.deployment()}", "--timeout=240s")


def control(release: Release, pod: str, what: str) -> int:
    """Have a pod's server load or unload the task, with the key that only the pod has, and return the HTTP status."""
    script = (
        "import os, urllib.request as r; print(r.urlopen(r.Request("
        f"'http://127.0.0.1:8000/v2/repository/models/{TASK}/{what}', b'{{}}', "
        "{'fovea-key': os.environ['FOVEA_API_KEY']})).status)"
    )
    return int(release.cluster.kubectl("exec", pod, "-c", "triton", "--", "python3", "-c", script))


def asked(release: Release, pod: str, path: str) -> bool:
    """Whether the probe's script says yes to a path."""
    probe = ["exec", pod, "-c", "triton", "--", "/bin/bash", "/fovea/ready.sh", "8000", path]
    return release.cluster.run("kubectl", "-n", release.cluster.namespace, *probe, check=False).returncode == 0


def addresses(release: Release) -> set[str]:
    """The pods that the release's Service sends requests to."""
    slices = release.cluster.get("endpointslices", "-l", f"app.kubernetes.io/instance={release.name}")["items"]
    return {
        endpoint["targetRef"]["name"]
        for each in slices
        for endpoint in each["endpoints"] or []
        if endpoint["conditions"]["ready"]
    }


def names(found: list[dict[str, Any]]) -> set[str]:
    return {pod["metadata"]["name"] for pod in found}


def pods(release: Release) -> set[str]:
    """Names of the release's pods, those on their way out too."""
    return names(release.cluster.get("pods", "-l", release.selector)["items"])
