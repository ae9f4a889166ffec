"""The scripts of the chart's init containers and probes, run as the pods run them."""

import fcntl
import http.server
import os
import re
import shutil
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from chart import CHART, objects, pod_specs, template

from tasks.checksums import write_checksums

SCRIPTS = CHART / "scripts"
Ran = subprocess.CompletedProcess[str]


def run(script: str, *words: str | Path, path: Path | None = None) -> Ran:
    return execute(["bash", str(SCRIPTS / script), *map(str, words)], path)


def execute(command: list[str], path: Path | None = None) -> Ran:
    environment = {**os.environ, "PATH": f"{path}:{os.environ['PATH']}"} if path else None
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, env=environment)


@pytest.fixture
def release(tmp_path: Path) -> Path:
    """A release of one task whose network has a build script."""
    folder = tmp_path / "release"
    for name in ("vessels/config.pbtxt", "vessels_network/config.pbtxt", "vessels_network/1/model.onnx"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(name)
    (folder / "vessels_network/1/build_plan.sh").write_text(BUILD_PLAN)
    write_checksums(folder)
    return folder


class TestVerify:
    def test_takes_the_release_that_was_placed(self, release: Path) -> None:
        assert run("verify.sh", release, write_checksums(release), "vessels").returncode == 0

    def test_takes_a_release_without_a_given_digest(self, release: Path) -> None:
        assert run("verify.sh", release, "", "vessels").returncode == 0

    def test_refuses_another_release(self, release: Path) -> None:
        ran = run("verify.sh", release, "0" * 64, "vessels")
        assert ran.returncode == 1
        assert "not modelRepository.digest 000" in ran.stderr

    def test_refuses_a_changed_byte(self, release: Path) -> None:
        (release / "vessels_network/1/model.onnx").write_text("another")
        ran = run("verify.sh", release, "")
        assert ran.returncode == 1
        assert "vessels_network/1/model.onnx: FAILED" in ran.stderr

    def test_refuses_a_missing_file(self, release: Path) -> None:
        (release / "vessels/config.pbtxt").unlink()
        assert run("verify.sh", release, "").returncode == 1

    @pytest.mark.parametrize("name", ["extra.txt", "vessels/1/__pycache__/model.pyc", "a file", ".hidden"])
    def test_refuses_a_file_that_no_checksum_covers(self, release: Path, name: str) -> None:
        (release / name).parent.mkdir(parents=True, exist_ok=True)
        (release / name).write_text("planted")
        ran = run("verify.sh", release, "")
        assert ran.returncode == 1
        assert f"files that no checksum covers: {name}" in ran.stderr

    def test_leaves_plans_to_the_next_container_and_refuses_the_rest(self, release: Path) -> None:
        network = release / "vessels_network/1"
        for number in range(6):
            (network / f"model.sm8{number}.plan").write_text("built before")
        (network / "model.sm90.plan.partial").write_text("half")
        assert run("verify.sh", "--plans-are-rebuilt", release, "", "vessels").returncode == 0
        assert run("verify.sh", release, "", "vessels").returncode == 1
        (network / "model.sm90.plan.txt").write_text("planted")
        ran = run("verify.sh", "--plans-are-rebuilt", release, "", "vessels")
        assert ran.stderr == "verify: files that no checksum covers: vessels_network/1/model.sm90.plan.txt \n"

    def test_refuses_a_link_that_no_checksum_covers(self, release: Path) -> None:
        (release / "vessels/link").symlink_to("/etc/hostname")
        assert "vessels/link" in run("verify.sh", release, "").stderr

    def test_refuses_a_release_without_a_task_that_is_relied_on(self, release: Path) -> None:
        ran = run("verify.sh", release, "", "vessels", "eye_disease")
        assert ran.returncode == 1
        assert "no model eye_disease" in ran.stderr

    def test_says_when_it_is_no_release(self, tmp_path: Path) -> None:
        assert "is not a release" in run("verify.sh", tmp_path, "").stderr
        assert "is modelRepository.path right?" in run("verify.sh", tmp_path / "nowhere", "").stderr


# What the script of a real release does with its argument and PLAN_CACHE, without a GPU.
BUILD_PLAN = """#!/usr/bin/env bash
set -euo pipefail
mkdir "$PLAN_CACHE/building" || { echo "two builders at once" >&2; exit 1; }
sleep "${BUILD_S:-0}"
rmdir "$PLAN_CACHE/building"
echo plan > "$1/model.sm90.plan"
echo built >> "$PLAN_CACHE/log"
"""


@pytest.fixture
def gpu(tmp_path: Path) -> Path:
    """A folder for PATH with an nvidia-smi that knows one GPU."""
    folder = tmp_path / "bin"
    folder.mkdir()
    (folder / "nvidia-smi").write_text("#!/bin/sh\necho 'NVIDIA H200'\n")
    (folder / "nvidia-smi").chmod(0o755)
    return folder


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    folder = tmp_path / "engines"
    folder.mkdir()
    return folder


class TestBuildEngines:
    def test_puts_a_plan_beside_each_model_that_has_a_script(self, release: Path, cache: Path, gpu: Path) -> None:
        ran = run("build-engines.sh", release, cache, "60", path=gpu)
        assert ran.returncode == 0, ran.stderr
        assert (release / "vessels_network/1/model.sm90.plan").read_text() == "plan\n"
        assert "1 plans for NVIDIA_H200" in ran.stdout

    def test_drops_plans_that_came_with_the_release(self, release: Path, cache: Path, gpu: Path) -> None:
        foreign = [release / "vessels_network/1" / name for name in ("model.sm80.plan", "model.sm80.plan.partial")]
        for path in foreign:
            path.write_text("another GPU's")
        assert run("build-engines.sh", release, cache, "60", path=gpu).returncode == 0
        assert not [path for path in foreign if path.exists()]

    def test_builders_take_turns(self, release: Path, cache: Path, gpu: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("BUILD_S", "0.5")
        results: list[Ran] = []
        copies = [Path(shutil.copytree(release, release.with_name(f"copy{index}"))) for index in range(3)]

        def build(copy: Path) -> None:
            results.append(run("build-engines.sh", copy, cache, "60", path=gpu))

        threads = [threading.Thread(target=build, args=(copy,)) for copy in copies]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert [ran.returncode for ran in results] == [0, 0, 0], [ran.stderr for ran in results]
        assert (cache / "log").read_text() == "built\n" * 3

    def test_gives_up_when_the_budget_is_spent(
        self, release: Path, cache: Path, gpu: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("BUILD_S", "30")
        ran = run("build-engines.sh", release, cache, "3", path=gpu)
        assert ran.returncode == 1
        assert "vessels_network: no plan within engines.buildSeconds = 3 s" in ran.stderr

    def test_begins_nothing_once_the_budget_is_spent(self, release: Path, cache: Path, gpu: Path) -> None:
        (gpu / "nvidia-smi").write_text("#!/bin/sh\nsleep 1\necho 'NVIDIA H200'\n")
        ran = run("build-engines.sh", release, cache, "1", path=gpu)
        assert ran.returncode == 1
        assert "vessels_network: engines.buildSeconds = 1 s are used up before its turn" in ran.stderr
        assert not (cache / "log").exists()

    def test_gives_up_waiting_for_another_builder(self, release: Path, cache: Path, gpu: Path) -> None:
        with (cache / "NVIDIA_H200.vessels_network.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            ran = run("build-engines.sh", release, cache, "3", path=gpu)
        assert ran.returncode == 1
        assert "another pod still builds it after 3 s" in ran.stderr

    def test_slices_of_a_gpu_wait_for_their_like_alone(self, release: Path, cache: Path, gpu: Path) -> None:
        listed = "GPU 0: NVIDIA H200 (UUID: GPU-1)\n  MIG 1g.18gb     Device  0: (UUID: MIG-1)"
        text = f"#!/bin/sh\n[ $1 = -L ] && echo '{listed}' || echo 'NVIDIA H200'\n"
        (gpu / "nvidia-smi").write_text(text)
        with (cache / "NVIDIA_H200.vessels_network.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            ran = run("build-engines.sh", release, cache, "5", path=gpu)
        assert ran.returncode == 0, ran.stderr
        assert (cache / "NVIDIA_H200_MIG_1g_18gb.vessels_network.lock").exists()

    def test_drops_what_a_killed_builder_left(self, release: Path, cache: Path, gpu: Path) -> None:
        old, young = cache / "a.1.partial", cache / "b.1.partial"
        for partial in (old, young):
            partial.write_text("half")
        os.utime(old, (0, 0))
        assert run("build-engines.sh", release, cache, "60", path=gpu).returncode == 0
        assert not old.exists()
        assert young.exists()

    def test_says_when_there_is_nothing_to_build(self, release: Path, cache: Path, gpu: Path) -> None:
        (release / "vessels_network/1/build_plan.sh").unlink()
        ran = run("build-engines.sh", release, cache, "60", path=gpu)
        assert ran.returncode == 1
        assert "formats=[onnx_fp16,tensorrt]" in ran.stderr

    def test_says_how_a_cache_becomes_writable(self, release: Path, cache: Path, gpu: Path) -> None:
        ran = run("build-engines.sh", release, cache / "nowhere", "60", path=gpu)
        assert ran.returncode == 1
        assert "a claim needs podSecurityContext.fsGroup" in ran.stderr
        assert f"on each node: install -d -o {os.getuid()} -g {os.getgid()} <" in ran.stderr

    def test_says_when_there_is_no_gpu(self, release: Path, cache: Path) -> None:
        if shutil.which("nvidia-smi"):
            pytest.skip("this machine has a GPU")
        assert "gpu.count" in run("build-engines.sh", release, cache, "60").stderr


class TestInitContainers:
    """One after another over one pod's folders, as the chart renders them, and again as after a restart of the node."""

    @pytest.fixture(params=[False, True], ids=["without", "with"])
    def digest(self, request: pytest.FixtureRequest, release: Path) -> str:
        """Of a release without and with a plan of its own."""
        if request.param:
            (release / "vessels_network/1/model.sm90.plan").write_text("built where it was exported")
        return write_checksums(release)

    @pytest.fixture(params=["image", "imageCopy", "pvc"])
    def commands(
        self, request: pytest.FixtureRequest, digest: str, release: Path, cache: Path, tmp_path: Path
    ) -> list[list[str]]:
        values = ["poolDefaults.profile=tensorrt", "poolDefaults.gpu.count=1", "modelRepository.pvc.claimName=releases"]
        values += [f"modelRepository.type={request.param}", f"modelRepository.digest={digest}"]
        values += ["modelRepository.path=/release"] if request.param == "imageCopy" else []
        pod = next(pod_specs(objects(template("--set", ",".join(values)))))
        (tmp_path / "models").mkdir()
        folders = {"release": release, "models": tmp_path / "models", "engines": cache, "fovea": SCRIPTS}

        def here(word: str) -> str:
            return re.sub(r"^/(\w+)", lambda found: str(folders.get(found[1], found[0])), word)

        return [[here(word) for word in container["command"]] for container in pod["initContainers"]]

    def test_run_again_over_what_they_left(self, commands: list[list[str]], gpu: Path, tmp_path: Path) -> None:
        network = tmp_path / "models/vessels_network/1"
        for _ in range(2):
            for command in commands:
                ran = execute(command, gpu)
                assert ran.returncode == 0, ran.stderr
            assert [path.name for path in network.glob("*.plan*")] == ["model.sm90.plan"]
            assert (network / "model.sm90.plan").read_text() == "plan\n"
            (network / "model.sm80.plan").write_text("another GPU's")


class Answer(http.server.BaseHTTPRequestHandler):
    """Ready as a server; of its models only `vessels` is."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self.send_response(200 if self.path in ("/v2/health/ready", "/v2/models/vessels/ready") else 400)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Say nothing."""


class TestReady:
    @pytest.fixture
    def port(self) -> Iterator[str]:
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answer)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield str(server.server_address[1])
        server.shutdown()
        server.server_close()

    def test_is_ready_when_everything_is(self, port: str) -> None:
        assert run("ready.sh", port, "/v2/health/ready", "/v2/models/vessels/ready").returncode == 0

    def test_is_not_ready_when_one_model_is_not(self, port: str) -> None:
        ran = run("ready.sh", port, "/v2/health/ready", "/v2/models/eye_disease/ready")
        assert ran.returncode == 1
        assert "eye_disease/ready: 400" in ran.stderr

    def test_is_not_ready_when_nobody_listens(self) -> None:
        assert run("ready.sh", "1", "/v2/health/ready").returncode != 0


def test_start_clears_shared_memory_and_becomes_the_server(tmp_path: Path) -> None:
    text = (SCRIPTS / "start.sh").read_text().replace("/dev/shm", str(tmp_path))  # noqa: S108 - a stand-in is cleared
    (tmp_path / "triton_python_backend_shm_1").write_text("stale")
    ran = subprocess.run(
        ["bash", "-c", text, "start.sh", "bash", "-c", 'echo "$1"', "x", "a word"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout == "a word\n"
    assert list(tmp_path.iterdir()) == []
