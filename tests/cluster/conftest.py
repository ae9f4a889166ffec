"""The cluster that the tests share, what they install into it, and the traffic that runs meanwhile.

`make test-cluster` runs them. Without KUBECONFIG they bring up tests/cluster/up, and end what they brought up.
"""

import json
import os
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from kube import CHART, HOME, ROOT, SCRIPTS, Cluster, client_environment, missing, until
from traffic import Traffic

SERVER = "localhost/fovea-cpu"
RELEASE = "localhost/fovea-release"
TASK = "eye_disease"
# What a cluster on two shared cores can bear, and drains that take seconds instead of half a minute.
VALUES: dict[str, Any] = {
    "image": {"repository": SERVER, "tag": "1"},
    "tasks": [TASK],
    "poolDefaults": {
        "memory": {"process": "1Gi", "shared": "160Mi"},
        "resources": {"requests": {"cpu": "50m"}},
    },
    "probes": {"startup": {"periodSeconds": 1}, "readiness": {"periodSeconds": 2}},
    "drain": {
        "endpointPropagationSeconds": 2,
        "connectionAgeSeconds": 3,
        "connectionAgeGraceSeconds": 3,
        "longestRequestSeconds": 3,
        "exitTimeoutSeconds": 5,
        "unloadSeconds": 3,
    },
}


@dataclass(frozen=True)
class Placed:
    """A release of the tests: the digest of its content, and of the image that holds it."""

    content: str
    image: str

    def values(self) -> dict[str, Any]:
        """What the chart is told of it."""
        image = {"repository": RELEASE, "digest": self.image}
        return {"modelRepository": {"type": "image", "digest": self.content, "image": image}}


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    """A running cluster; the tests' own is brought up, and ended if it was not up before."""
    if reason := missing():
        pytest.skip(reason)
    if os.environ.get("KUBECONFIG"):
        yield Cluster()
        return
    was_up = (HOME / "state" / "ready").exists()
    _script("up")
    try:
        yield Cluster()
    finally:
        if not was_up:
            _script("down")


@pytest.fixture(scope="session")
def server_image() -> Path:
    """The archive of the CPU image, built once."""
    archive = HOME / "img" / "fovea-cpu-1.tar"
    if not archive.exists():
        _script("image", str(ROOT / "docker" / "cpu.Dockerfile"), str(ROOT), f"{SERVER}:1", timeout_s=1200)
    return archive


@pytest.fixture(scope="session")
def releases(server_image: Path, cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> list[Placed]:
    """Two releases that differ in their weights, in the cluster as images."""
    placed = []
    archives = [str(server_image)]
    for seed, name in enumerate(("a", "b")):
        folder = _placed_folder(tmp_path_factory, seed)
        archive, digest = _script("release", str(folder), f"{RELEASE}:{name}").split()
        placed.append(Placed(_content(folder), digest))
        archives.append(archive)
    _script("load", *archives, timeout_s=600)
    return placed


@pytest.fixture(scope="session")
def image(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A picture to ask about."""
    from cluster_release import write_image

    return write_image(tmp_path_factory.mktemp("image") / "picture.png")


@pytest.fixture(scope="module")
def namespace(cluster: Cluster, request: pytest.FixtureRequest) -> Iterator[Cluster]:
    """A namespace of the module's own that enforces PodSecurity *restricted*."""
    name = request.module.__name__.rpartition(".")[2].replace("_", "-")
    labels = {"pod-security.kubernetes.io/enforce": "restricted"}
    cluster.kubectl("delete", "namespace", name, "--ignore-not-found", "--wait")
    cluster.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}})
    yield replace(cluster, namespace=name)
    cluster.kubectl("delete", "namespace", name, "--wait=false")


@dataclass
class Release:
    """A Helm release of the chart."""

    cluster: Cluster
    folder: Path
    name: str = "fovea"

    @property
    def selector(self) -> str:
        return f"app.kubernetes.io/instance={self.name},app.kubernetes.io/component=triton"

    def deploy(self, *words: str, check: bool = True, timeout_s: float = 300, **values: Any) -> Any:
        """`helm upgrade --install` with the tests' values and these, and wait until it is there."""
        file = self.folder / "values.json"
        file.write_text(json.dumps(merge(VALUES, values)))
        return self.cluster.helm(
            "upgrade", "--install", self.name, str(CHART), "-f", str(file), "--wait", f"--timeout={timeout_s:g}s", *words,
            check=check, timeout_s=timeout_s + 60,
        )  # fmt: skip

    def deployment(self) -> str:
        """Name of the main pool's Deployment."""
        found = self.cluster.get("deployments", "-l", self.selector)["items"]
        return str(found[0]["metadata"]["name"])

    def target(self, *, headless: bool = False) -> str:
        """Where clients find it."""
        for service in self.cluster.get("services", "-l", f"app.kubernetes.io/instance={self.name}")["items"]:
            if (service["spec"].get("clusterIP") == "None") == headless:
                host = f"{service['metadata']['name']}.{self.cluster.namespace}.svc.cluster.local:8001"
                return f"dns:///{host}" if headless else host
        raise AssertionError(f"no Service with headless={headless}")

    def wait_for(self, count: int, timeout_s: float = 180) -> list[dict[str, Any]]:
        """Wait until exactly so many pods are there and all are ready, and return them."""

        def all_ready() -> list[dict[str, Any]]:
            ready = self.cluster.ready_pods(self.selector)
            return ready if len(ready) == count == len(self.cluster.pods(self.selector)) else []

        found: list[dict[str, Any]] = until(f"{count} pods of {self.name} are ready", all_ready, timeout_s)
        return found


@pytest.fixture
def traffic(image: Path, tmp_path: Path) -> Callable[..., Traffic]:
    """Starts requests to a release; see `Traffic`."""

    def start(release: Release, *words: str, headless: bool = True) -> Traffic:
        target = release.target(headless=headless)
        words = (target, "--task", TASK, "--image", str(image), *words)
        return Traffic(release.cluster.prefix, client_environment(), *words, stop=tmp_path / "stop")

    return start


@pytest.fixture(scope="module")
def release(namespace: Cluster, releases: list[Placed], tmp_path_factory: pytest.TempPathFactory) -> Release:
    """The chart with two pods of the CPU image that serve the first release."""
    installed = Release(namespace, tmp_path_factory.mktemp("values"))
    installed.deploy(**releases[0].values())
    return installed


def merge(below: dict[str, Any], above: dict[str, Any]) -> dict[str, Any]:
    """Values as Helm merges them."""
    merged = dict(below)
    for key, value in above.items():
        both = isinstance(value, dict) and isinstance(merged.get(key), dict)
        merged[key] = merge(merged[key], value) if both else value
    return merged


def _content(folder: Path) -> str:
    from tasks.checksums import verify_checksums

    return verify_checksums(folder)


def _placed_folder(factory: pytest.TempPathFactory, seed: int) -> Path:
    from cluster_release import place_release

    return place_release(factory.mktemp("release"), seed)


def _script(name: str, *words: str, timeout_s: float = 300) -> str:
    done = subprocess.run(
        [str(SCRIPTS / name), *words], check=False, capture_output=True, text=True, timeout=timeout_s, cwd=ROOT
    )
    assert done.returncode == 0, f"{name}: {done.stderr[-3000:]}"
    return done.stdout.strip()
