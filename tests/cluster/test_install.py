"""What a release is from its installation to its end: admitted, answering, tested, watched, gone."""

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from chart_release import TASK, Release
from kube import CHART, CommandError, until
from traffic import Traffic

pytestmark = pytest.mark.cluster
ASK_MODELS = """
import sys
from fovea_client import Client, Credentials, FoveaError

given = {"fovea-key": sys.argv[2]} if len(sys.argv) > 2 else {}
try:
    with Client(sys.argv[1], credentials=Credentials(restricted=given, allow_plain_text=True)) as client:
        print(client.models()[0].name)
except FoveaError as error:
    print(type(error).__name__)
"""


def test_two_pods_on_two_nodes_answer(release: Release, traffic: Callable[..., Traffic]) -> None:
    nodes = {pod["spec"]["nodeName"] for pod in release.wait_for(2)}
    with traffic(release, "--per-s", "5", "--least-s", "5") as asking:
        pass
    assert nodes == {"node1", "node2"}
    assert all(tally["sent"] >= 20 and tally["failed"] == 0 for tally in asking.tallies.values()), asking.tallies


def test_the_namespace_is_restricted_indeed(release: Release) -> None:
    careless = {"containers": [{"name": "careless", "image": "localhost/busybox:1"}]}
    with pytest.raises(CommandError, match="violates PodSecurity"):
        release.cluster.apply({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "careless"}, "spec": careless})


def test_the_root_cannot_be_written_to(release: Release) -> None:
    pod = release.wait_for(2)[0]["metadata"]["name"]
    with pytest.raises(CommandError, match="Read-only file system"):
        release.cluster.kubectl("exec", pod, "-c", "triton", "--", "/bin/bash", "-c", "echo x > /opt/x")


def test_metrics_are_there_for_prometheus(release: Release) -> None:
    address = release.wait_for(2)[0]["status"]["podIP"]
    script = f"import urllib.request as r; print(r.urlopen('http://{address}:8002/metrics', timeout=5).read().decode())"
    assert f'nv_inference_request_success{{model="{TASK}"' in release.cluster.run("python3", "-c", script).stdout


def test_helm_test_passes(release: Release) -> None:
    assert "Succeeded" in release.cluster.helm("test", release.name, "--timeout=120s").stdout


def test_the_server_takes_what_helm_sends(release: Release) -> None:
    manifests = release.cluster.helm("get", "manifest", release.name).stdout
    dry = release.cluster.kubectl("apply", "--dry-run=server", "-f", "-", stdin=manifests)
    assert f"deployment.apps/{release.deployment()}" in dry


def test_a_key_opens_the_restricted_apis_and_a_wrong_one_does_not(release: Release, releases: list[Any]) -> None:
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "api-key"}, "stringData": {"key": "right"}}
    release.cluster.apply(secret)
    release.deploy(**releases[0].values(), restrictedApis={"existingSecret": "api-key"})
    release.wait_for_drained()  # the key of pods of before is one that nobody knows
    assert ask_models(release, "right").startswith(TASK)
    assert ask_models(release, "wrong") == "AccessDeniedError"
    assert ask_models(release, None) == "AccessDeniedError"


def test_nothing_is_left_after_uninstall(release: Release) -> None:
    other = replace(release, name="leaves-nothing")
    other.deploy(**json.loads((release.folder / "values.json").read_text()))
    kinds = "deploy,rs,pod,svc,endpointslice,cm,secret,sa,pdb,networkpolicy,job,hpa,pvc"
    selector = "app.kubernetes.io/instance=leaves-nothing"
    assert other.cluster.get(kinds, "-l", selector)["items"]
    other.cluster.helm("uninstall", other.name, "--wait", "--timeout=120s")
    until("everything is gone", lambda: not other.cluster.get(kinds, "-l", selector)["items"], 90)


def test_a_misspelt_value_is_refused_before_anything_changes(release: Release) -> None:
    done = release.cluster.helm("upgrade", release.name, str(CHART), "--set", "replicaz=3", check=False)
    assert done.returncode != 0
    assert "replicaz" in done.stderr


def ask_models(release: Release, key: str | None) -> str:
    """The first model that the server lists to who has this key, or the error's name."""
    words = [release.target(), key] if key else [release.target()]
    return release.cluster.run("python", "-c", ASK_MODELS, *words).stdout.strip()
