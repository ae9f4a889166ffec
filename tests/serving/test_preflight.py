"""What would keep the server from working is one sentence before anything starts."""

import os
import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

import pytest

from serving import runtime
from serving.__main__ import main
from serving.errors import PreflightError
from serving.instances import linked_repository
from serving.repository import check_repository
from serving.server import Options, Server
from tasks import TASKS
from tasks.checksums import write_checksums

PARTS = ("", "_network", "_postprocess", "_preprocess")
REPOSITORY = Path(__file__).parents[2] / "model_repository"


@pytest.fixture
def release(tmp_path: Path) -> Path:
    """A release whose artefacts are empty: enough for everything before the start."""
    import shutil

    folder = Path(shutil.copytree(REPOSITORY, tmp_path / "release", ignore=shutil.ignore_patterns("__pycache__")))
    for network in folder.glob("*_network"):
        (network / "1").mkdir(exist_ok=True)
        for name in ("model.onnx", "model.pt", "model.xml"):
            (network / "1" / name).touch()
    write_checksums(folder)
    return folder


@pytest.fixture
def taken_port() -> Iterator[int]:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        yield listener.getsockname()[1]


def expect_refusal(options: Options, match: str) -> None:
    with pytest.raises(PreflightError, match=match) as caught:
        Server(options).start()
    assert "\n" not in str(caught.value)


def test_complete_release_is_accepted_in_every_profile(release: Path) -> None:
    for profile in ("default", "torchscript", "cpu"):
        models, digest = check_repository(release, profile)
        assert models == sorted(task + part for task in TASKS for part in PARTS)
        assert len(digest) == 64


def test_numpy_2_is_refused(release: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metadata, "version", lambda name: "2.2.6")
    expect_refusal(Options(release), r"NumPy 2\.2\.6 .* install numpy<2")


def test_missing_libpython_names_the_package(release: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runtime.sysconfig, "get_config_var", lambda _: "/nowhere")
    monkeypatch.setattr(Path, "glob", lambda *_: iter(()))
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    expect_refusal(Options(release), re.escape(f"install the package libpython{version}"))


def test_taken_port_is_refused(release: Path, taken_port: int) -> None:
    expect_refusal(Options(release, grpc_port=taken_port), f"port {taken_port} of 127.0.0.1 cannot be used")


def test_impossible_and_equal_ports_are_refused(release: Path) -> None:
    expect_refusal(Options(release, grpc_port=70000), "port 70000")
    expect_refusal(Options(release, grpc_port=9009, http_port=9009), "must differ")


def test_missing_repository_is_refused(tmp_path: Path) -> None:
    expect_refusal(Options(tmp_path / "absent"), "no model repository at")


def test_planted_byte_code_is_removed_before_it_could_run(release: Path) -> None:
    cache = release / "vessels_preprocess" / "1" / "__pycache__"
    cache.mkdir()
    (cache / "model.cpython-311.pyc").write_bytes(b"anything")
    check_repository(release, "default")
    assert not cache.exists()


def test_nothing_is_removed_from_a_folder_that_is_not_a_release(tmp_path: Path) -> None:
    cache = tmp_path / "venv" / "__pycache__"
    cache.mkdir(parents=True)
    expect_refusal(Options(tmp_path), "not a release")
    assert cache.exists()


def test_refused_start_leaves_a_running_servers_log_alone(release: Path, tmp_path: Path, taken_port: int) -> None:
    log = tmp_path / "triton.log"
    log.write_text("of another server")
    expect_refusal(Options(release, grpc_port=taken_port, log=log), "cannot be used")
    assert log.read_text() == "of another server"


def test_refused_start_leaves_anothers_endpoint_file_alone(release: Path, tmp_path: Path, taken_port: int) -> None:
    endpoint = tmp_path / "endpoint.json"
    endpoint.write_text("{}")
    assert main(["--repository", str(release), "--grpc-port", str(taken_port), "--endpoint-file", str(endpoint)]) == 1
    assert endpoint.exists()


def test_changed_byte_is_refused(release: Path) -> None:
    (release / "vessels" / "config.pbtxt").write_text((release / "vessels" / "config.pbtxt").read_text() + " ")
    expect_refusal(Options(release), r"vessels/config\.pbtxt changed")


@pytest.mark.parametrize(
    ("profile", "file_name"), [("default", "model.onnx"), ("torchscript", "model.pt"), ("cpu", "model.xml")]
)
def test_missing_artefact_is_named(release: Path, profile: str, file_name: str) -> None:
    (release / "vessels_network" / "1" / file_name).unlink()
    write_checksums(release)
    expect_refusal(Options(release, profile), f"vessels_network has no {file_name}")


def test_profile_that_needs_a_gpu_says_so(release: Path) -> None:
    with pytest.raises(PreflightError, match="backend tensorrt, which needs NVIDIA's container and a GPU"):
        check_repository(release, "tensorrt")


def test_unknown_profile_lists_the_known_ones(release: Path) -> None:
    expect_refusal(
        Options(release, "tensorflow"), r"'tensorflow'; there are \['cpu', 'default', 'tensorrt', 'torchscript'\]"
    )


@pytest.mark.parametrize("log", [Path("/proc/fovea/triton.log"), Path("/dev")])
def test_unwritable_log_is_refused(release: Path, log: Path) -> None:
    expect_refusal(Options(release, log=log), "cannot be written")


def test_front_door_says_it_in_one_line(release: Path, capsys: pytest.CaptureFixture[str], taken_port: int) -> None:
    assert main(["--repository", str(release), "--http-port", str(taken_port)]) == 1
    said = capsys.readouterr().err
    assert said.startswith("error: port")
    assert said.count("\n") == 1


def test_free_ports_differ_and_are_free() -> None:
    ports = runtime.free_ports(3)
    assert len(set(ports)) == 3
    for port in ports:
        runtime.check_port(port)


def test_backends_are_assembled_without_touching_the_packages(tmp_path: Path) -> None:
    backends = runtime.build_backends(tmp_path)
    assert {path.name for path in backends.iterdir()} == {"python", "onnxruntime", "openvino", "pytorch"}
    assert os.access(backends / "python" / "triton_python_backend_stub", os.X_OK)
    assert (backends / "onnxruntime" / "model.py").is_file()


def test_help_needs_no_server() -> None:
    result = subprocess.run(
        [sys.executable, "-m", "serving", "--help"], check=True, capture_output=True, text=True, cwd=REPOSITORY.parent
    )
    assert "--profile" in result.stdout


@pytest.mark.parametrize("profile", ["default", "torchscript", "cpu"])
def test_a_number_of_instances_changes_the_networks_and_nothing_else(
    release: Path, tmp_path: Path, profile: str
) -> None:
    before = {path: path.read_bytes() for path in release.rglob("*") if path.is_file()}
    repository = linked_repository(release, tmp_path, profile=profile, instances=3)
    assert {path.name for path in repository.iterdir()} == {task + part for task in TASKS for part in PARTS}
    for network in repository.glob("*_network"):
        special = release / network.name / "configs" / f"{profile}.pbtxt"
        original = (special if special.exists() else release / network.name / "config.pbtxt").read_text()
        assert (network / "config.pbtxt").read_text() == original.replace("[ { count: 1", "[ { count: 3")
        assert "count: 3" in (network / "config.pbtxt").read_text()
        assert (network / "1" / "model.onnx").exists()
    assert {path: path.read_bytes() for path in release.rglob("*") if path.is_file()} == before


def test_a_release_without_a_network_has_no_instances_to_count(tmp_path: Path) -> None:
    (tmp_path / "release" / "identity").mkdir(parents=True)
    (tmp_path / "release" / "identity" / "config.pbtxt").write_text('name: "identity"')
    with pytest.raises(PreflightError, match="no model \\*_network"):
        linked_repository(tmp_path / "release", tmp_path, profile="default", instances=2)
