"""A Kubernetes API server and its etcd as two processes on loopback: what admission and ownership need, without root.

Nothing runs pods here; tests/cluster has that.
"""

import base64
import json
import ssl
import subprocess
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

from programs import tool

from serving.runtime import free_ports

_START_S = 120.0
_OPENSSL = "openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes"


class ApiServer:
    """A context manager around both; `call` asks it as the cluster's administrator."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.kubeconfig = folder / "kubeconfig"
        self._etcd_port, self._peer_port, self.port = free_ports(3)
        self._processes: list[subprocess.Popen[bytes]] = []
        self._credentials: ssl.SSLContext | None = None

    def __enter__(self) -> "ApiServer":
        etcd, api = tool("etcd"), tool("kube-apiserver")
        self._make_certificates()
        self._spawn(etcd, *self._etcd_flags())
        self._spawn(api, *self._api_flags())
        try:
            self._await_ready()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        for process in reversed(self._processes):
            process.terminate()
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def call(self, method: str, path: str, body: Any = None, content: str = "application/json") -> Any:
        """Send objects, or text as it is, and return the answer; what is refused raises urllib.error.HTTPError."""
        data = None if body is None else (body if isinstance(body, str) else json.dumps(body)).encode()
        # Whoever scales is told from Helm by this name.
        headers = {"Content-Type": content, "User-Agent": "kube-controller-manager"}
        url = f"https://127.0.0.1:{self.port}{path}"
        request = urllib.request.Request(url, method=method, data=data, headers=headers)
        with urllib.request.urlopen(request, timeout=30, context=self._credentials) as answer:  # noqa: S310
            return json.load(answer)

    def _await_ready(self) -> None:
        deadline = time.monotonic() + _START_S
        while time.monotonic() < deadline:
            try:
                self.call("GET", "/api/v1/namespaces/default")
            except (OSError, ValueError):
                time.sleep(0.5)
            else:
                return
        raise TimeoutError(f"the API server was not ready after {_START_S:g} s; see {self.folder}")

    def _spawn(self, program: str, *flags: str) -> None:
        with (self.folder / f"{Path(program).name}.log").open("wb") as log:
            self._processes.append(
                subprocess.Popen([program, *flags], cwd=self.folder, stdout=log, stderr=subprocess.STDOUT)
            )

    def _etcd_flags(self) -> list[str]:
        client, peer = (f"http://127.0.0.1:{port}" for port in (self._etcd_port, self._peer_port))
        return [
            "--data-dir=etcd",
            "--unsafe-no-fsync",
            f"--listen-client-urls={client}",
            f"--advertise-client-urls={client}",
            f"--listen-peer-urls={peer}",
            f"--initial-advertise-peer-urls={peer}",
            f"--initial-cluster=default={peer}",
        ]

    def _api_flags(self) -> list[str]:
        return [
            f"--etcd-servers=http://127.0.0.1:{self._etcd_port}",
            "--bind-address=127.0.0.1",
            f"--secure-port={self.port}",
            "--tls-cert-file=server.crt",
            "--tls-private-key-file=server.key",
            "--client-ca-file=ca.crt",
            "--authorization-mode=RBAC",
            "--service-cluster-ip-range=10.96.0.0/16",
            "--service-account-issuer=https://kubernetes.default.svc",
            "--service-account-key-file=sa.key",
            "--service-account-signing-key-file=sa.key",
            "--disable-admission-plugins=ServiceAccount",  # nothing makes the accounts here
        ]

    def _make_certificates(self) -> None:
        self._shell(f"{_OPENSSL} -x509 -days 2 -subj /CN=ca -keyout ca.key -out ca.crt")
        (self.folder / "names").write_text("subjectAltName=DNS:localhost,IP:127.0.0.1")
        for name, subject in (("server", "/CN=kube-apiserver"), ("admin", "/O=system:masters/CN=admin")):
            self._shell(f"{_OPENSSL} -subj {subject} -keyout {name}.key -out {name}.csr")
            signed = "openssl x509 -req -CA ca.crt -CAkey ca.key -CAcreateserial -days 2 -extfile names"
            self._shell(f"{signed} -in {name}.csr -out {name}.crt")
        self._shell("openssl genrsa -out sa.key 2048")
        self._credentials = ssl.create_default_context(cafile=str(self.folder / "ca.crt"))
        self._credentials.load_cert_chain(self.folder / "admin.crt", self.folder / "admin.key")
        self.kubeconfig.write_text(json.dumps(self._config()))

    def _config(self) -> dict[str, Any]:
        def inline(name: str) -> str:
            return base64.b64encode((self.folder / name).read_bytes()).decode()

        cluster = {"server": f"https://127.0.0.1:{self.port}", "certificate-authority-data": inline("ca.crt")}
        user = {"client-certificate-data": inline("admin.crt"), "client-key-data": inline("admin.key")}
        return {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "it",
            "clusters": [{"name": "it", "cluster": cluster}],
            "users": [{"name": "it", "user": user}],
            "contexts": [{"name": "it", "context": {"cluster": "it", "user": "it"}}],
        }

    def _shell(self, command: str) -> None:
        subprocess.run(command.split(), cwd=self.folder, check=True, capture_output=True, timeout=60)
