"""The tests' own tools, without a cluster."""

import asyncio
import importlib.util
import json
import os
import subprocess
import tarfile
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import kube
import pytest
import yaml
from chart_release import merge
from fovea_client import ServerUnavailableError
from kube import ROOT, SCRIPTS
from traffic import Caller


def test_every_script_is_sound_bash() -> None:
    scripts = [path for path in [*SCRIPTS.iterdir(), *(SCRIPTS / "parts").iterdir()] if is_bash(path)]
    assert {"up", "down", "k", "build", "image", "load", "node"} <= {path.name for path in scripts}
    for path in scripts:
        done = subprocess.run(["bash", "-n", str(path)], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr


def test_what_is_missing_is_said_in_a_sentence(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("KUBECONFIG", raising=False)
    monkeypatch.setattr(kube, "HOME", tmp_path)
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert "needs root" in str(kube.missing())
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    assert "make cluster-build" in str(kube.missing())
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "kubelet").touch()
    assert kube.missing() is None
    monkeypatch.setattr(kube, "CHART", tmp_path)
    assert "no chart" in str(kube.missing())


def test_scripts_without_a_cluster_say_what_to_do(tmp_path: Path) -> None:
    environment = os.environ | {"FOVEA_CLUSTER": str(tmp_path)}
    for words, sentence in ((["up"], "error: "), (["k", "get", "pods"], "run tests/cluster/up"), (["load"], "not up")):
        done = run(*words, environment=environment)
        assert done.returncode == 1
        assert sentence in done.stderr
    assert run("down", environment=environment).returncode == 0
    assert run("release", str(tmp_path), "x:1", environment=environment).stderr.startswith("error: ")


def test_an_archive_tells_its_name_and_digest(tmp_path: Path) -> None:
    digest = "sha256:" + "ab" * 32
    annotations = {"org.opencontainers.image.ref.name": "localhost/a/b:1"}
    index = {"schemaVersion": 2, "manifests": [{"digest": digest, "size": 1, "annotations": annotations}]}
    (tmp_path / "index.json").write_text(json.dumps(index, separators=(",", ":")))
    with tarfile.open(tmp_path / "a.tar", "w") as archive:
        archive.add(tmp_path / "index.json", "index.json")
    archive_path = tmp_path / "a.tar"
    script = f"source {SCRIPTS}/parts/images.sh; echo $(archive_name {archive_path}) $(archive_digest {archive_path})"
    done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["localhost/a/b:1", digest]


def test_gpu_nodes_are_described_as_nodes(tmp_path: Path) -> None:
    kubectl = tmp_path / "kubectl"
    kubectl.write_text("#!/bin/sh\n[ $1 = apply ] && exec cat\n:\n")
    kubectl.chmod(0o755)
    done = run(
        "gpu-nodes", "4", "6", "NVIDIA-L4", environment=os.environ | {"PATH": f"{tmp_path}:{os.environ['PATH']}"}
    )
    nodes = list(yaml.safe_load_all(done.stdout))
    assert [node["metadata"]["name"] for node in nodes] == ["gpu-4", "gpu-5", "gpu-6"]
    assert {node["metadata"]["labels"]["topology.kubernetes.io/zone"] for node in nodes} == {"z1", "z2", "z3"}
    assert all(node["status"]["allocatable"]["nvidia.com/gpu"] == "8" for node in nodes)
    assert all(node["metadata"]["labels"]["nvidia.com/gpu.product"] == "NVIDIA-L4" for node in nodes)


@pytest.mark.parametrize("image", ["cpu", "loadtests"])
def test_an_image_installs_what_it_names_pinned_and_hashed(image: str) -> None:
    program = (ROOT / "docker" / "install-pins").read_text().partition("awk '")[2].partition("'")[0]
    files = [str(ROOT / "docker" / f"{image}.packages"), str(ROOT / "constraints.txt")]
    pins = subprocess.run(["awk", program, *files], capture_output=True, text=True, check=True).stdout
    named = (ROOT / "docker" / f"{image}.packages").read_text().split()
    chosen = [line.partition("==")[0] for line in pins.splitlines() if not line.startswith(" ")]
    assert sorted(chosen) == sorted(named)
    assert pins.count("--hash=sha256:") >= len(named)


def test_the_traffic_counts_every_request_once() -> None:
    caller = Caller(Flaky(), "vessels", b"", per_s=200.0)  # type: ignore[arg-type]
    asyncio.run(asked_for(caller, 0.5))
    told = caller.tally.summary()
    assert 80 <= told["sent"] <= 101
    assert told["failed"] == told["sent"] // 4
    assert list(told["failures"].values()) == [told["failed"]]


def test_values_are_merged_as_helm_does() -> None:
    below: dict[str, Any] = {"a": {"b": 1, "c": 2}, "d": [1]}
    assert merge(below, {"a": {"b": 3}, "d": [2]}) == {"a": {"b": 3, "c": 2}, "d": [2]}
    assert below == {"a": {"b": 1, "c": 2}, "d": [1]}


class Flaky:
    """A client whose every fourth call fails."""

    calls = 0

    async def segment(self, image: bytes, *, task: str) -> SimpleNamespace:
        self.calls += 1
        if self.calls % 4 == 0:
            raise ServerUnavailableError("gone", status="UNAVAILABLE")
        return SimpleNamespace()


async def asked_for(caller: Caller, seconds: float) -> None:
    stop = asyncio.Event()
    stop.set()
    await caller.keep_asking(seconds, stop)


def is_bash(path: Path) -> bool:
    return path.is_file() and (path.suffix == ".sh" or path.open("rb").read(19) == b"#!/usr/bin/env bash")


def run(*words: str, environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    command = [str(SCRIPTS / words[0]), *words[1:]]
    return subprocess.run(command, capture_output=True, text=True, check=False, env=environment)


def test_the_api_servers_schemas_are_made_strict() -> None:
    given = {
        "type": "object",
        "properties": {
            "port": {"allOf": [{"$ref": "#/components/schemas/IntOrString"}], "default": {}},
            "note": {"type": "string", "nullable": True},
        },
    }
    made = schemas().as_json_schema(given)
    assert made["additionalProperties"] is False
    assert made["properties"] == {
        "port": {"$ref": "#/definitions/IntOrString"},
        "note": {"type": ["string", "null"], "nullable": True},
    }


def schemas() -> Any:
    specification = importlib.util.spec_from_file_location("schemas", SCRIPTS / "schemas.py")
    assert specification is not None
    assert specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module
