"""The images of compose.yaml that no pod runs, really built by buildah: they start as a plain user, and answer."""

import shutil
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil
import pytest
from doors import OFFLINE
from kube import HOME, ROOT, SCRIPTS

from serving.runtime import free_ports

pytestmark = [
    pytest.mark.cluster,
    pytest.mark.timeout(1800),
    pytest.mark.skipif(shutil.which("buildah") is None, reason="buildah is not here (make cluster-build)"),
]
BUILDAH = ("buildah", "--root", str(HOME / "store"), "--storage-driver", "overlay")
APP = "/opt/fovea/code/clients/dashboard/app.py"
LOOPBACK = "--host=127.0.0.1"
COMMANDS = {
    "dashboard": (f"python -m streamlit run {APP} --server.address=127.0.0.1 --server.port=%d", "/_stcore/health"),
    "mlflow": (
        f"mlflow server {LOOPBACK} --port=%d --workers=1 --backend-store-uri=sqlite:////mlflow/mlflow.db",
        "/health",
    ),
}


@pytest.mark.parametrize("name", COMMANDS)
def test_an_image_is_built_starts_and_answers(name: str, tmp_path: Path) -> None:
    image = f"localhost/fovea-{name}:test"
    built = [str(SCRIPTS / "image"), str(ROOT / "docker" / f"{name}.Dockerfile"), str(ROOT), image]
    archive = subprocess.run(built, env=OFFLINE, check=True, capture_output=True, text=True, timeout=1500).stdout
    for file in (archive.strip(), f"{archive.strip()}.id"):  # the cluster would load it
        Path(file).unlink()
    words, path = COMMANDS[name]
    (port,) = free_ports(1)
    with _container(image) as container:
        command = [*BUILDAH, "run", "--isolation", "chroot", "--user", "1000:1000", container, *(words % port).split()]
        with (tmp_path / "log").open("wb") as log:
            process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT)
        try:
            _wait(f"http://127.0.0.1:{port}{path}", process, tmp_path / "log")
        finally:
            family = [*psutil.Process(process.pid).children(recursive=True), psutil.Process(process.pid)]
            for each in family:
                with suppress(psutil.NoSuchProcess):
                    each.terminate()
            psutil.wait_procs(family, timeout=30)


@contextmanager
def _container(image: str) -> Iterator[str]:
    made = subprocess.run([*BUILDAH, "from", "--pull=never", image], check=True, capture_output=True, text=True)
    try:
        yield made.stdout.strip()
    finally:
        subprocess.run([*BUILDAH, "rm", made.stdout.strip()], check=True, capture_output=True)


def _wait(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline_s = time.monotonic() + 180
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    while True:
        with suppress(OSError), opener.open(url, timeout=2) as answer:
            assert answer.status == 200
            return
        assert process.poll() is None, log.read_text()
        assert time.monotonic() < deadline_s, log.read_text()
        time.sleep(0.5)
