"""A server comes up once, goes down on request and leaves nothing behind, whatever ends it."""

import os
import re
import shutil
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from doors import Launched, Stages

from tasks.checksums import write_checksums

pytestmark = pytest.mark.slow
Launch = Callable[..., Launched]


def process_group(leader: int) -> list[int]:
    """Return the living processes of tritonserver's process group: the server and its Python stubs."""
    found = []
    for entry in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, _, group = entry.read_text().rpartition(")")[2].split()[:3]
        except (OSError, ValueError):
            continue
        if int(group) == leader and state != "Z":
            found.append(int(entry.parent.name))
    return found


def wait_until_gone(leader: int, timeout_s: float = 20.0) -> list[int]:
    deadline_s = time.monotonic() + timeout_s
    while (left := process_group(leader)) and time.monotonic() < deadline_s:
        time.sleep(0.1)
    return left


def shared_memory(folder: str) -> list[Path]:
    """Return what Triton holds in memory for a server; it is named after the server's folder."""
    return list(Path("/dev/shm").glob(f"{folder}*"))  # noqa: S108


def folder_of(server: Launched) -> str:
    """Return the name of the folder that the server's files are in."""
    words = Path(f"/proc/{server.endpoint['pid']}/cmdline").read_text()
    return re.findall(r"/(fovea-serving-\w+)/", words)[0]


@pytest.fixture
def launch(stages: Stages, tmp_path: Path) -> Iterator[Launch]:
    """Launches a server; what a failed test leaves running ends with it: a killed launcher takes its server along."""
    servers: list[Launched] = []

    def start(folder: Path = tmp_path, repository: Path = stages.repository) -> Launched:
        servers.append(Launched(repository, folder))
        return servers[-1]

    yield start
    for server in servers:
        server.process.kill()
        server.process.wait()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_signal_leaves_no_process(launch: Launch, number: signal.Signals) -> None:
    server = launch().wait()
    folder = folder_of(server)
    leader = server.endpoint["pid"]
    assert len(process_group(leader)) >= 5, "tritonserver and a stub for every instance of a Python model"
    assert shared_memory(folder)
    started_s = time.monotonic()
    server.process.send_signal(number)
    assert server.process.wait(30) == 0
    assert time.monotonic() - started_s < 20
    assert process_group(leader) == []
    assert not shared_memory(folder)
    assert not server.endpoint_file.exists()
    assert "stopped" in server.output()


def test_killed_launcher_takes_its_server_along(launch: Launch) -> None:
    server = launch().wait()
    leader = server.endpoint["pid"]
    server.process.kill()
    server.process.wait()
    assert wait_until_gone(leader) == []


def test_dead_server_ends_the_launcher(launch: Launch) -> None:
    server = launch().wait()
    leader = server.endpoint["pid"]
    os.kill(leader, signal.SIGKILL)
    assert server.process.wait(30) == 1
    assert "Triton ended by itself" in server.output()
    assert process_group(leader) == []


def test_stop_while_loading_leaves_no_process(launch: Launch) -> None:
    server = launch()
    deadline_s = time.monotonic() + 30
    while not server.log.exists() or not server.log.read_text():
        assert time.monotonic() < deadline_s
        time.sleep(0.05)
    children = Path(f"/proc/{server.process.pid}/task/{server.process.pid}/children").read_text().split()
    assert children
    assert server.stop() == 1
    assert wait_until_gone(int(children[0])) == []
    assert not server.endpoint_file.exists()


def test_broken_artefact_is_reported_with_tritons_words(launch: Launch, stages: Stages, tmp_path: Path) -> None:
    broken = Path(shutil.copytree(stages.repository, tmp_path / "release"))
    (broken / "vessels_network" / "1" / "model.onnx").write_bytes(b"not a network")
    write_checksums(broken)
    server = launch(repository=broken)
    assert server.process.wait(60) == 1
    said = server.output()
    assert "vessels_network" in said
    assert "Traceback" not in said


def test_two_servers_live_side_by_side(launch: Launch, tmp_path: Path) -> None:
    folders = [tmp_path / name for name in ("one", "two")]
    for folder in folders:
        folder.mkdir()
    servers = [launch(folder) for folder in folders]
    assert len({server.wait().grpc for server in servers}) == 2
    assert [server.stop() for server in servers] == [0, 0]
