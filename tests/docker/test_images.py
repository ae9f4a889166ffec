"""`make images`, `scan-images` and `push-images`, with programs that record instead of building."""

import hashlib
import os
import subprocess
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]
DIGEST = "sha256:" + "a" * 64
# Records its words and what is on its standard input, and leaves the files that the real one would.
RECORDER = f"""#!/bin/bash
echo "${{0##*/}} $*" >>"$RECORD"
previous=
for word in "$@"; do
  case $word in docker-archive:*) file=${{word#docker-archive:}}; echo image >"${{file%%:*}}" ;; esac
  [ "$previous" != -o ] || echo image >"$word"
  case $previous in --output) echo bill >"${{word#cyclonedx-json=}}" ;; esac
  [ "$previous" != --digestfile ] || echo {DIGEST} >"$word"
  previous=$word
done
case $1 in login) echo "stdin: $(cat)" >>"$RECORD" ;; inspect) echo "registry.example/x@{DIGEST}" ;; esac
exit "${{STATUS:-0}}"
"""
# What the script itself needs; nothing else of the machine is seen.
NEEDED = [
    "bash",
    "basename",
    "cat",
    "cut",
    "dirname",
    "find",
    "grep",
    "ls",
    "mkdir",
    "mktemp",
    "mv",
    "realpath",
    "rm",
    "sed",
]
NEEDED += ["sha256sum"]


class Bench:
    """A build folder with a release, and a PATH with the programs that a test names."""

    def __init__(self, folder: Path) -> None:
        self.build = folder / "build"
        self.path = folder / "bin"
        self.record = folder / "record"
        release = self.build / "releases" / "one"
        (release / "vessels" / "1" / "__pycache__").mkdir(parents=True)
        (release / "SHA256SUMS").write_text("sums")
        (self.build / "model_repository").symlink_to(release)
        self.path.mkdir()
        for name in NEEDED:
            (self.path / name).symlink_to(
                next(Path(d) / name for d in ("/usr/bin", "/bin") if (Path(d) / name).exists())
            )

    def has(self, *programs: str) -> "Bench":
        for name in programs:
            (self.path / name).write_text(RECORDER)
            (self.path / name).chmod(0o755)
        return self

    def run(self, command: str, *words: str, **env: str) -> subprocess.CompletedProcess[str]:
        given = {"PATH": str(self.path), "RECORD": str(self.record), **env}
        script = [str(ROOT / "docker" / "images"), command, str(self.build), *words]
        return subprocess.run(script, capture_output=True, text=True, check=False, env=given, timeout=60)

    def recorded(self) -> list[str]:
        return self.record.read_text().splitlines() if self.record.exists() else []


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


@pytest.mark.parametrize("tool", ["buildah", "docker"])
def test_builds_three_images_and_their_archives(bench: Bench, tool: str) -> None:
    result = bench.has(tool).run("build", "registry.example", "41", "default")
    assert result.returncode == 0, result.stderr
    built = [line for line in bench.recorded() if line.startswith(f"{tool} build")]
    assert [line.split()[3] for line in built] == [
        f"docker/{name}.Dockerfile" for name in ("cpu", "loadtests", "release")
    ]
    assert [line.split()[5] for line in built] == [
        f"registry.example/fovea-{name}:41" for name in ("server", "loadtests", "release")
    ]
    assert built[-1].endswith(str(bench.build / "releases" / "one"))
    assert sorted(path.name for path in (bench.build / "images").iterdir()) == [
        "loadtests.tar",
        "release.tar",
        "server.tar",
    ]
    assert not list(bench.build.rglob("__pycache__"))


def test_more_images_are_built_and_pushed_where_they_are_asked_for(bench: Bench) -> None:
    more = bench.has("buildah").run("build", "registry.example", "41", "cpu", "dashboard", "mlflow")
    assert more.returncode == 0, more.stderr
    archives = {path.name for path in (bench.build / "images").iterdir()}
    assert {"dashboard.tar", "mlflow.tar"} <= archives
    assert "training.tar" not in archives
    pushed = bench.run("push", "registry.example", "41")
    assert pushed.returncode == 0, pushed.stderr
    assert (bench.build / "images" / "mlflow.digest").read_text() == f"{DIGEST}\n"
    assert "no image grafana" in bench.run("build", "registry.example", "41", "cpu", "grafana").stderr


def test_tensorrt_is_served_by_the_gpu_image(bench: Bench) -> None:
    bench.has("buildah").run("build", "registry.example", "41", "tensorrt")
    assert "docker/gpu.Dockerfile" in bench.recorded()[0]


def test_says_what_is_missing(bench: Bench) -> None:
    assert "neither buildah nor docker" in bench.run("build", "registry.example", "41", "cpu").stderr
    (bench.build / "model_repository" / "SHA256SUMS").unlink()
    assert "no placed release" in bench.has("buildah").run("build", "registry.example", "41", "cpu").stderr
    assert "unknown command" in bench.run("sign").stderr


def test_scanning_is_skipped_aloud_unless_the_scanner_is_named(bench: Bench) -> None:
    unnamed = bench.run("scan", "")
    assert (unnamed.returncode, "no image was scanned" in unnamed.stdout) == (0, True)
    named = bench.run("scan", "trivy")
    assert (named.returncode, "trivy is not here" in named.stderr) == (1, True)


@pytest.mark.parametrize("scanner", ["trivy", "grype"])
def test_every_archive_is_scanned_and_a_hole_is_a_failure(bench: Bench, scanner: str) -> None:
    assert "build them first" in bench.has(scanner, "buildah").run("scan", "").stderr
    bench.run("build", "registry.example", "41", "cpu")
    assert bench.run("scan", "").returncode == 0
    assert len([line for line in bench.recorded() if line.startswith(scanner)]) == 3
    failed = bench.run("scan", "", STATUS="1")
    assert (failed.returncode, "known hole" in failed.stderr) == (1, True)


@pytest.mark.parametrize("scanner", ["trivy", "syft"])
def test_every_archive_gets_a_bill_of_materials(bench: Bench, scanner: str) -> None:
    assert "build them first" in bench.has(scanner, "buildah").run("sbom", "").stderr
    bench.run("build", "registry.example", "41", "cpu")
    assert bench.run("sbom", "").returncode == 0
    bills = bench.build / "sbom"
    names = ["loadtests.cdx.json", "release.cdx.json", "server.cdx.json"]
    assert sorted(path.name for path in bills.iterdir()) == names
    for path in bills.iterdir():
        path.unlink()
    failed = bench.run("sbom", "", STATUS="1")
    assert (failed.returncode, "has no bill of materials" in failed.stderr) == (1, True)
    assert not list(bills.glob("*.json"))


def test_bills_are_skipped_aloud_unless_the_scanner_is_named(bench: Bench) -> None:
    unnamed = bench.run("sbom", "")
    assert (unnamed.returncode, "no image has a bill of materials" in unnamed.stdout) == (0, True)
    assert bench.run("sbom", "syft").returncode == 1


@pytest.mark.parametrize("tool", ["buildah", "docker"])
def test_pushes_and_names_digests_for_the_chart(bench: Bench, tool: str) -> None:
    bench.has(tool).run("build", "registry.example/team", "41", "cpu")
    result = bench.run("push", "registry.example/team", "41", REGISTRY_LOGIN_USR="pusher", REGISTRY_LOGIN_PSW="pa55")
    assert result.returncode == 0, result.stderr
    values = yaml.safe_load((bench.build / "images" / "values.yaml").read_text())
    assert values["image"] == {"repository": "registry.example/team/fovea-server", "digest": DIGEST}
    assert values["modelRepository"]["digest"] == hashlib.sha256(b"sums").hexdigest()
    assert values["loadTest"]["enabled"] is True
    assert f"{tool} login --username pusher --password-stdin registry.example" in bench.recorded()
    assert "stdin: pa55" in bench.recorded()
    assert "pa55" not in result.stdout + result.stderr + " ".join(
        line for line in bench.recorded() if "stdin" not in line
    )


def test_a_push_that_fails_leaves_no_values(bench: Bench) -> None:
    bench.has("buildah").run("build", "registry.example", "41", "cpu")
    assert bench.run("push", "registry.example", "41", STATUS="1").returncode == 1
    assert not (bench.build / "images" / "values.yaml").exists()


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (
            ["deploy", "ENVIRONMENT=staging", "RELEASE=eye", "VALUES=site.yaml images.yaml"],
            "upgrade --install eye --namespace fovea-staging helm-chart --create-namespace --rollback-on-failure --wait"
            " --timeout 40m --values site.yaml --values images.yaml",
        ),
        (
            ["check-deployment", "ENVIRONMENT=production"],
            "test fovea --namespace fovea-production --logs --timeout 20m",
        ),
        (
            ["rollback-deployment", "ENVIRONMENT=production", "RELEASE=eye"],
            "rollback eye --namespace fovea-production --wait --timeout 40m",
        ),
    ],
)
def test_deployments_are_helm_s(bench: Bench, words: list[str], expected: str) -> None:
    result = make(bench.has("helm"), *words)
    assert result.returncode == 0, result.stderr
    assert bench.recorded() == [f"helm {expected}"]


@pytest.mark.parametrize("environment", [[], ["ENVIRONMENT=prod"]], ids=["none", "unknown"])
@pytest.mark.parametrize("target", ["deploy", "check-deployment", "rollback-deployment"])
def test_no_deployment_without_an_environment_that_is_known(bench: Bench, target: str, environment: list[str]) -> None:
    result = make(bench.has("helm"), target, *environment)
    assert (result.returncode, bench.recorded()) == (2, [])
    assert "ENVIRONMENT=staging or ENVIRONMENT=production" in result.stderr


def make(bench: Bench, *words: str) -> subprocess.CompletedProcess[str]:
    env = {name: value for name, value in os.environ.items() if name not in ("ENVIRONMENT", "RELEASE", "VALUES")}
    env |= {"PATH": f"{bench.path}:{env['PATH']}", "RECORD": str(bench.record)}
    return subprocess.run(["make", *words], cwd=ROOT, capture_output=True, text=True, check=False, env=env, timeout=60)
