"""The flags that the chart renders, taken by the real Triton: it starts, is ready, and refuses what it shall."""

import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from chart import objects, run, template
from doors import Stages
from fovea_client import AccessDeniedError, Client, FoveaError
from fovea_client.credentials import Credentials, Tls

from serving import runtime

pytestmark = pytest.mark.slow
READY = Path(__file__).parents[2] / "helm-chart" / "scripts" / "ready.sh"
KEY = "a-key"
PATIENCE_S = 120.0


@dataclass(frozen=True)
class Pod:
    """A server with a pod's flags: its container's manifest, and its ports."""

    container: dict[str, Any]
    grpc: int
    http: int
    metrics: int

    def ask(self, *paths: str) -> subprocess.CompletedProcess[str]:
        """Ask as the pod's probes do."""
        return run("bash", READY, str(self.http), *paths)


@pytest.fixture(scope="module")
def pod(stages: Stages, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pod]:
    with running(stages, tmp_path_factory.mktemp("pod")) as started:
        yield started


@contextmanager
def running(stages: Stages, folder: Path, *words: str) -> Iterator[Pod]:
    """A server with the flags of the chart's pod; /tls is the folder."""
    grpc, http, metrics = runtime.free_ports(3)
    ports = f"server.ports.grpc={grpc},server.ports.http={http},server.ports.metrics={metrics}"
    deployment = next(each for each in objects(template("--set", ports, *words)) if each["kind"] == "Deployment")
    container = deployment["spec"]["template"]["spec"]["containers"][0]
    flags = [flag.replace("$(FOVEA_API_KEY)", KEY).replace("=/tls/", f"={folder}/") for flag in container["args"]]
    flags[0] = f"--model-repository={stages.repository.resolve()}"
    process = spawn(folder, flags)
    try:
        started = Pod(container, grpc, http, metrics)
        deadline = time.monotonic() + PATIENCE_S
        while started.ask("/v2/health/ready").returncode:
            assert process.poll() is None, (folder / "log").read_text()[-3000:]
            assert time.monotonic() < deadline
            time.sleep(0.5)
        yield started
    finally:
        process.terminate()
        process.wait(60)


def spawn(folder: Path, flags: list[str]) -> subprocess.Popen[bytes]:
    server = runtime.server_folder() / "bin" / "tritonserver"
    command = [str(server), f"--backend-directory={runtime.build_backends(folder)}", *flags]
    with (folder / "log").open("wb") as log:
        return subprocess.Popen(command, env=runtime.environment(), stdout=log, stderr=subprocess.STDOUT)


def certificates(folder: Path) -> None:
    """Write ca.crt, tls.crt and tls.key: one certificate that is its own authority, for both ends."""
    words = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=localhost"
    names = ["-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"]
    run("openssl", *words.split(), *names, "-keyout", folder / "tls.key", "-out", folder / "tls.crt")
    (folder / "ca.crt").write_bytes((folder / "tls.crt").read_bytes())


def test_mutual_tls_wants_a_certificate(stages: Stages, tmp_path: Path) -> None:
    certificates(tmp_path)
    asked = ("--set", "tls.enabled=true,tls.mutual=true,tls.existingSecret=any")
    with running(stages, tmp_path, *asked) as pod:
        url = f"127.0.0.1:{pod.grpc}"
        own = Tls(tmp_path / "ca.crt", tmp_path / "tls.crt", tmp_path / "tls.key")
        with Client(url, timeout_s=10, tls=own) as known:
            known.wait_until_ready(20)
        for tls in (Tls(tmp_path / "ca.crt"), None):
            with Client(url, timeout_s=3, tls=tls) as stranger, pytest.raises(FoveaError):
                stranger.wait_until_ready(2)


def test_its_probes_pass(pod: Pod) -> None:
    for name in ("startupProbe", "readinessProbe", "livenessProbe"):
        script, *words = pod.container[name]["exec"]["command"][1:]
        assert script == "/fovea/ready.sh"
        assert run("bash", READY, *words).returncode == 0, name


def test_a_task_that_it_does_not_serve_is_not_ready(pod: Pod) -> None:
    assert pod.ask("/v2/health/ready", "/v2/models/another/ready").returncode == 1


def test_model_control_needs_the_key(pod: Pod) -> None:
    with Client(f"127.0.0.1:{pod.grpc}", timeout_s=10) as nobody, pytest.raises(AccessDeniedError):
        nobody.models()
    wrong = Credentials(restricted={"fovea-key": "another"})
    with Client(f"127.0.0.1:{pod.grpc}", timeout_s=10, credentials=wrong) as guess, pytest.raises(AccessDeniedError):
        guess.models()
    right = Credentials(restricted={"fovea-key": KEY})
    with Client(f"127.0.0.1:{pod.grpc}", timeout_s=10, credentials=right) as operator:
        assert "vessels" in {model.name for model in operator.models()}


def test_model_control_over_http_needs_the_key(pod: Pod) -> None:
    request = urllib.request.Request(f"http://127.0.0.1:{pod.http}/v2/repository/index", method="POST")
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(request, timeout=10)  # noqa: S310 - loopback
    assert refused.value.code in {400, 403}
    refused.value.close()


def test_only_loopback_has_http_but_all_have_metrics(pod: Pod) -> None:
    sockets = run("ss", "-Hltn").stdout if Path("/usr/bin/ss").exists() else None
    if sockets is None:
        pytest.skip("ss is not installed")
    listening = {line.split()[3] for line in sockets.splitlines()}
    assert f"127.0.0.1:{pod.http}" in listening
    assert f"0.0.0.0:{pod.metrics}" in listening
