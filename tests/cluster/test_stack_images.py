"""The images of the rest of the stack, really built by buildah: as pods of a restricted namespace they do their work.

They are large, so each is on one node, and `make test-images` runs these tests apart from the chart's.
"""

import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from chart_release import Placed, Release
from kube import ROOT, SCRIPTS, Cluster, condition, until

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(2400)]
# What the training image is for, on generated pictures: train, export, re-hash, profile the pictures, look for drift.
STAGES = """
set -e
cd /tmp
python -m training synthesise --root data
python -m training data.root=data trainer=smoke trainer.epochs=1 network.widths=[8,8,8] trainer.crops_per_epoch=8 \
  out=model tracking=none
python -m export model=model pictures=data to=release work=work
python -m export verify release
python -m monitoring reference --release release --images data
python -m monitoring drift --release release --images data --out drift
"""
ROOM = {"requests": {"cpu": "250m"}, "limits": {"memory": "4Gi", "ephemeral-storage": "4Gi"}}


@pytest.fixture(scope="module")
def built(cluster: Cluster) -> Iterator[Callable[[str], str]]:
    """Builds docker/<name>.Dockerfile, brings it to node1, where alone pods are placed meanwhile; returns its name."""

    def build(name: str) -> str:
        image = f"localhost/fovea-{name}:test"
        dockerfile = ROOT / "docker" / f"{name}.Dockerfile"
        archive = Path(_script("image", str(dockerfile), str(ROOT), image, timeout_s=2000))
        try:
            _script("load", str(archive), timeout_s=600)
        finally:  # gigabytes; the layers stay in the store for the next build
            for file in (archive, Path(f"{archive}.id")):
                file.unlink()
        return image

    if not cluster.prefix:
        pytest.skip("images are built for the tests' own cluster only; unset KUBECONFIG")
    cluster.kubectl("cordon", "node2")
    yield build
    cluster.kubectl("uncordon", "node2")


def test_the_dashboard_answers_through_its_service(
    release: Release, releases: list[Placed], built: Callable[[str], str]
) -> None:
    release.deploy(**releases[0].values(), dashboard={"enabled": True, "image": built("dashboard")})
    service = release.cluster.get("services", "-l", "app.kubernetes.io/component=dashboard")["items"][0]
    assert (
        _answer(release.cluster, f"{service['metadata']['name']}.{release.cluster.namespace}:8501/_stcore/health")
        == "ok"
    )


def test_mlflow_answers(built: Callable[[str], str], namespace: Cluster) -> None:
    words = ["mlflow", "server", "--host=0.0.0.0", "--workers=1", "--allowed-hosts=*"]
    words += ["--backend-store-uri=sqlite:////mlflow/mlflow.db"]
    _run_pod(namespace, "mlflow", built("mlflow"), words)
    until("MLflow runs", lambda: namespace.get("pod", "mlflow")["status"].get("podIP"))
    address = namespace.get("pod", "mlflow")["status"]["podIP"]
    assert until("MLflow answers", lambda: _answer(namespace, f"{address}:5000/health") == "OK", 240)


def test_the_training_image_trains_exports_and_looks_for_drift(
    release: Release, releases: list[Placed], built: Callable[[str], str]
) -> None:
    job = {"image": built("training"), "command": ["sh", "-c"], "args": [STAGES], "resources": ROOM}
    release.deploy(**releases[0].values(), drift={"enabled": True, **job})
    name = release.cluster.get("cronjobs")["items"][0]["metadata"]["name"]
    release.cluster.kubectl("create", "job", "stages", f"--from=cronjob/{name}")

    def ended() -> bool:
        found = release.cluster.get("job", "stages")
        return condition(found, "Complete") or condition(found, "Failed")

    until("the job has ended", ended, 900, every_s=2)
    said = release.cluster.kubectl("logs", "job/stages", "--tail=60")
    assert condition(release.cluster.get("job", "stages"), "Complete"), said


def _run_pod(namespace: Cluster, name: str, image: str, words: list[str]) -> None:
    secure = {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}
    container = {"name": name, "image": image, "command": words, "securityContext": secure}
    pod = {
        "containers": [container],
        "securityContext": {"runAsNonRoot": True, "runAsUser": 1000, "seccompProfile": {"type": "RuntimeDefault"}},
        "automountServiceAccountToken": False,
    }
    namespace.apply({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": pod})


def _answer(cluster: Cluster, address: str) -> str:
    script = f"import urllib.request as r; print(r.urlopen('http://{address}', timeout=5).read().decode())"
    return cluster.run("python3", "-c", script, check=False).stdout.strip()


def _script(name: str, *words: str, timeout_s: float) -> str:
    environment = os.environ | {"NODES": "node1"}
    done = subprocess.run(
        [str(SCRIPTS / name), *words], check=False, capture_output=True, text=True, timeout=timeout_s, env=environment
    )
    assert done.returncode == 0, f"{name}: {done.stderr[-3000:]}"
    return done.stdout.strip()
