"""gRPC over TLS, one-sided and mutual, with certificates from a Secret."""

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from chart_release import Placed, Release
from kube import Cluster
from traffic import Traffic

pytestmark = pytest.mark.cluster


@pytest.fixture(scope="module")
def certificates(namespace: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """ca, server and client certificates in a folder; the server's are in the Secret `serving-tls`."""
    folder = tmp_path_factory.mktemp("tls")
    names = ",".join(f"DNS:{name}.{namespace.namespace}.svc.cluster.local" for name in ("fovea", "fovea-headless"))
    certify(folder, "ca", "-x509")
    for name in ("server", "client"):
        signed = ["-x509", "-CA", "ca.crt", "-CAkey", "ca.key", "-addext", "basicConstraints=critical,CA:FALSE"]
        certify(folder, name, *signed, "-addext", f"subjectAltName={names}")
    namespace.kubectl(
        "create", "secret", "generic", "serving-tls", f"--from-file=tls.crt={folder}/server.crt",
        f"--from-file=tls.key={folder}/server.key", f"--from-file=ca.crt={folder}/ca.crt",
    )  # fmt: skip
    return folder


def certify(folder: Path, name: str, *words: str) -> None:
    """Write <name>.crt and <name>.key."""
    make = ["openssl", "req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2"]
    files = ["-subj", f"/CN={name}", "-keyout", f"{name}.key", "-out", f"{name}.crt"]
    subprocess.run([*make, *words, *files], check=True, cwd=folder, capture_output=True)


@pytest.mark.parametrize("mutual", [False, True], ids=["one-sided", "mutual"])
def test_only_who_trusts_and_is_trusted_is_answered(
    release: Release, releases: list[Placed], certificates: Path, traffic: Callable[..., Traffic], mutual: bool
) -> None:
    tls = {"enabled": True, "mutual": mutual, "existingSecret": "serving-tls"}
    release.deploy(**releases[0].values(), tls=tls)
    release.wait_for_drained()
    trusting = ["--ca", str(certificates / "ca.crt")]
    known = [*trusting, "--certificate", str(certificates / "client.crt"), "--key", str(certificates / "client.key")]
    assert answered(release, traffic, "grpcs", *known)
    assert answered(release, traffic, "grpcs", *trusting) is not mutual
    assert not answered(release, traffic, "")


def answered(release: Release, traffic: Callable[..., Traffic], scheme: str, *words: str) -> bool:
    """Whether a client that speaks so gets its answers."""
    little = ("--ready-s", "8", "--per-s", "5", "--least-s", "2")
    try:
        with traffic(release, *words, *little, headless=False, scheme=scheme) as asking:
            pass
    except AssertionError:
        return False
    return all(tally["failed"] == 0 for tally in asking.tallies.values())
