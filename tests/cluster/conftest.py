"""The cluster that the tests share, what they install into it, and the traffic that runs meanwhile.

`make test-cluster` runs them. Without KUBECONFIG they bring up tests/cluster/up, and end what they brought up.
"""

import os
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from chart_release import IMAGES, TASK, Placed, Release
from kube import HOME, ROOT, SCRIPTS, Cluster, client_environment, missing
from traffic import Traffic


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Print what was measured, a line for each figure that a test recorded."""
    measured = [report for report in terminalreporter.getreports("") if getattr(report, "user_properties", None)]
    if measured:
        terminalreporter.section("measured")
    for report in measured:
        for name, value in report.user_properties:
            shown = (
                {key: part for key, part in value.items() if part not in ({}, [])} if isinstance(value, dict) else value
            )
            terminalreporter.write_line(f"{report.nodeid.rpartition('::')[2]}: {name} {shown}")


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
def server_image(cluster: Cluster) -> str:
    """The CPU image, built once and loaded."""
    return _image("cpu")


@pytest.fixture(scope="session")
def load_image(cluster: Cluster) -> str:
    """The load tests' image, built once and loaded."""
    return _image("loadtests")


@pytest.fixture(scope="session")
def releases(server_image: str, cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> list[Placed]:
    """Two releases that differ in their weights, in the cluster as images."""
    placed = []
    archives = []
    for seed, name in enumerate(("a", "b")):
        folder = _placed_folder(tmp_path_factory, seed)
        archive, digest = _script("release", str(folder), f"{IMAGES}:{name}").split()
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


@pytest.fixture
def traffic(image: Path, tmp_path: Path) -> Callable[..., Traffic]:
    """Starts requests to a release; see `Traffic`."""

    def start(release: Release, *words: str, headless: bool = True, scheme: str = "") -> Traffic:
        target = f"{scheme}://{release.target()}" if scheme else release.target(headless=headless)
        words = (target, "--task", TASK, "--image", str(image), *words)
        return Traffic(release.cluster.prefix, client_environment(), *words, stop=tmp_path / "stop")

    return start


@pytest.fixture(scope="module")
def release(namespace: Cluster, releases: list[Placed], tmp_path_factory: pytest.TempPathFactory) -> Release:
    """The chart with two pods of the CPU image that serve the first release."""
    installed = Release(namespace, tmp_path_factory.mktemp("values"))
    installed.deploy(**releases[0].values())
    return installed


def _image(name: str) -> str:
    """Build docker/<name>.Dockerfile, load it, and return the image's name."""
    if os.environ.get("KUBECONFIG"):
        pytest.skip("images are built for the tests' own cluster only; unset KUBECONFIG")
    image = f"localhost/fovea-{name}:1"
    archive = _script("image", str(ROOT / "docker" / f"{name}.Dockerfile"), str(ROOT), image, timeout_s=1200)
    _script("load", archive, timeout_s=600)
    return image


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
