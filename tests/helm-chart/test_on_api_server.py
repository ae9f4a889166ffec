"""The chart against a real API server: admission, and who owns the number of pods. No pod runs here."""

import subprocess
import urllib.error
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from api_server import ApiServer
from chart import BASE, CHART, REALISTIC, helm, objects, pod_specs, template
from programs import HOME

pytestmark = pytest.mark.slow
NAMESPACE = "clinic"
CUSTOM = HOME / "crds"
DEPLOYMENT = f"/apis/apps/v1/namespaces/{NAMESPACE}/deployments/eye-fovea-main"
AUTOSCALED = "autoscaling.type=hpa,autoscaling.maxReplicas=9"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApiServer]:
    with ApiServer(tmp_path_factory.mktemp("api-server")) as running:
        labels = {"pod-security.kubernetes.io/enforce": "restricted"}
        metadata = {"name": NAMESPACE, "labels": labels}
        running.call("POST", "/api/v1/namespaces", {"apiVersion": "v1", "kind": "Namespace", "metadata": metadata})
        yield running


@pytest.fixture
def release(server: ApiServer) -> Iterator["Release"]:
    installed = Release(server)
    yield installed
    installed.helm("uninstall", "eye", "--ignore-not-found")


class Release:
    """One Helm release, and its Deployment's number of pods."""

    def __init__(self, server: ApiServer) -> None:
        self.server = server

    def helm(self, *words: str) -> subprocess.CompletedProcess[str]:
        return helm(*words, "--namespace", NAMESPACE, "--kubeconfig", self.server.kubeconfig)

    def upgrade(self, values: str, *words: str) -> subprocess.CompletedProcess[str]:
        chart = ("upgrade", "--install", "eye", str(CHART), "--values", str(BASE), "--set", values)
        return self.helm(*chart, "--wait=hookOnly", *words)

    @property
    def replicas(self) -> int:
        return int(self.server.call("GET", DEPLOYMENT)["spec"]["replicas"])

    def scale(self, replicas: int) -> None:
        """Set the number as an autoscaler does."""
        scale = self.server.call("GET", f"{DEPLOYMENT}/scale")
        scale["spec"]["replicas"] = replicas
        self.server.call("PUT", f"{DEPLOYMENT}/scale", scale)


def passed(result: subprocess.CompletedProcess[str]) -> bool:
    assert result.returncode == 0, result.stderr
    return True


def test_switching_autoscaling_on_and_off_keeps_the_pods(release: Release) -> None:
    assert passed(release.upgrade("poolDefaults.replicas=6"))
    assert passed(release.upgrade(f"poolDefaults.replicas=6,{AUTOSCALED}"))
    assert release.replicas == 6
    release.scale(8)
    assert passed(release.upgrade(f"poolDefaults.replicas=6,{AUTOSCALED},image.tag=next"))
    assert release.replicas == 8
    release.scale(5)
    assert passed(release.upgrade("poolDefaults.replicas=6,image.tag=later"))
    assert release.replicas == 5
    assert passed(release.upgrade(f"poolDefaults.replicas=6,{AUTOSCALED}"))
    assert release.replicas == 5


def test_switching_off_keeps_the_pods_of_a_release_that_was_installed_autoscaled(release: Release) -> None:
    # Kubernetes notes no owner where nobody owned the number before it was scaled.
    assert passed(release.upgrade(f"poolDefaults.replicas=3,{AUTOSCALED}"))
    release.scale(5)
    for tag in ("a", "b"):
        assert passed(release.upgrade(f"poolDefaults.replicas=3,image.tag={tag}"))
        assert release.replicas == 5
    assert passed(release.upgrade("poolDefaults.replicas=3,poolDefaults.replicasPolicy=enforce"))
    assert release.replicas == 3


def test_an_autoscalers_number_is_taken_back_only_when_asked(release: Release) -> None:
    assert passed(release.upgrade("poolDefaults.replicas=2"))
    assert passed(release.upgrade(f"poolDefaults.replicas=2,{AUTOSCALED}"))
    release.scale(5)
    enforced = "poolDefaults.replicas=3,poolDefaults.replicasPolicy=enforce"
    refused = release.upgrade(enforced)
    assert refused.returncode != 0
    assert "conflict" in refused.stderr
    assert release.replicas == 5
    assert passed(release.upgrade(enforced, "--force-conflicts"))
    assert release.replicas == 3
    assert passed(release.upgrade("poolDefaults.replicas=4"))
    assert release.replicas == 4


def test_what_somebody_scaled_by_hand_survives_an_upgrade(release: Release) -> None:
    assert passed(release.upgrade("poolDefaults.replicas=2"))
    release.scale(7)
    assert passed(release.upgrade("poolDefaults.replicas=2,image.tag=next"))
    assert release.replicas == 7


def test_a_rollback_serves_the_earlier_release(release: Release) -> None:
    assert passed(release.upgrade(f"modelRepository.digest={'a' * 64}"))
    assert passed(release.upgrade(f"modelRepository.digest={'b' * 64}"))
    assert passed(release.helm("rollback", "eye", "1", "--wait=hookOnly"))
    annotations = release.server.call("GET", DEPLOYMENT)["spec"]["template"]["metadata"]["annotations"]
    assert annotations["fovea.io/release-digest"] == "a" * 64


def test_an_uninstall_leaves_nothing(release: Release) -> None:
    assert passed(release.upgrade(AUTOSCALED))
    assert passed(release.helm("uninstall", "eye", "--wait"))
    for kind in ("configmaps", "services", "serviceaccounts", "persistentvolumeclaims", "secrets"):
        found = release.server.call("GET", f"/api/v1/namespaces/{NAMESPACE}/{kind}")["items"]
        assert [item for item in found if "eye" in item["metadata"]["name"]] == []


@pytest.mark.parametrize("name", REALISTIC)
def test_its_pods_are_admitted_to_a_restricted_namespace(server: ApiServer, name: str) -> None:
    pods = list(pod_specs(objects(template(values=REALISTIC[name]))))
    assert pods
    for spec in pods:
        spec.pop("priorityClassName", None)  # is not in this cluster
        server.call("POST", f"/api/v1/namespaces/{NAMESPACE}/pods?dryRun=All&fieldValidation=Strict", pod(spec))


@pytest.mark.parametrize("name", REALISTIC)
def test_everything_is_taken_with_custom_resources(server: ApiServer, name: str) -> None:
    if not any(CUSTOM.glob("*.yaml")):
        pytest.skip(f"{CUSTOM} has no custom resource definitions: `make cluster-build` fetches them")
    install_custom_resources(server, CUSTOM)
    values = [word for path in REALISTIC[name] for word in ("--values", str(path))]
    chart = ("install", f"eye-{name}", str(CHART), "--wait=hookOnly", *values)
    assert passed(Release(server).helm(*chart))


def pod(spec: dict[str, Any]) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"generateName": "eye-"}, "spec": spec}


def install_custom_resources(server: ApiServer, folder: Path) -> None:
    for file in sorted(folder.glob("*.yaml")):
        for text in file.read_text().split("\n---\n"):
            if "kind: CustomResourceDefinition" in text:
                create(server, text)


def create(server: ApiServer, definition: str) -> None:
    path = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
    try:
        server.call("POST", path, definition, "application/yaml")
    except urllib.error.HTTPError as error:
        error.close()
        if error.code != 409:  # another test made it
            raise
