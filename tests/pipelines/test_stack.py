"""The stack's own part, with services that are a few lines: what it says, what it ends, what it leaves."""

import json
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest
from doors import OFFLINE, ROOT
from rich.console import Console
from shown import expanded

from pipelines.errors import PipelineError
from pipelines.stack.ports import USUAL, choose
from pipelines.stack.process import Running, Service
from pipelines.stack.release import place_shipped
from pipelines.stack.scraping import tasks_of
from pipelines.stack.services import StackOptions, programs, services
from pipelines.stack.stack import SERVICES_FILE, run_services

# Has a child in a session of its own, which survives its parent; says when both are there.
PARENT = """
import pathlib, subprocess, sys, time
child = subprocess.Popen(["sleep", "300"], start_new_session=True)
pathlib.Path(sys.argv[1]).write_text(str(child.pid))
time.sleep(300)
"""
DEAF = "import signal, pathlib, sys, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); "
DEAF += "pathlib.Path(sys.argv[1]).touch(); time.sleep(300)"
DIES = "import sys, time; time.sleep(0.5); sys.exit('the disk is full')"
# A stack of one service, to be killed.
KILLED = """
import pathlib, sys, threading
from rich.console import Console
from pipelines.stack.process import Service
from pipelines.stack.stack import run_services
service = Service("sleep", ("sleep", "300"), lambda: True, "nowhere")
run_services([service], pathlib.Path(sys.argv[1]), 30, threading.Event(), Console(quiet=True))
"""
QUIET = Console(quiet=True)


def _service(name: str, code: str, folder: Path) -> Service:
    file = folder / name
    command = (sys.executable, "-c", code, str(file))
    return Service(name, command, lambda: file.exists() and bool(file.read_text() or name == "deaf"), "nowhere")


def _pids() -> set[int]:
    return {process.pid for process in psutil.Process().children(recursive=True)}


def test_what_is_stopped_leaves_no_child_of_a_child(tmp_path: Path) -> None:
    before, stop = _pids(), threading.Event()
    threading.Thread(target=_stop_when_ready, args=(tmp_path, stop), daemon=True).start()
    run_services([_service("parent", PARENT, tmp_path)], tmp_path, 30, stop, QUIET)
    grandchild = int((tmp_path / "parent").read_text())
    assert not psutil.pid_exists(grandchild)
    assert _pids() <= before
    assert not (tmp_path / SERVICES_FILE).exists()


def _stop_when_ready(folder: Path, stop: threading.Event) -> None:
    while not (folder / SERVICES_FILE).exists():
        time.sleep(0.05)
    found = json.loads((folder / SERVICES_FILE).read_text())
    assert set(found) == {"parent"}
    stop.set()


def test_one_that_dies_is_named_with_its_last_words_and_the_others_are_ended(tmp_path: Path) -> None:
    both = [_service("parent", PARENT, tmp_path), _service("dies", DIES, tmp_path)]
    with pytest.raises(PipelineError, match=r"dies ended by itself with status 1; .*dies\.log:\nthe disk is full"):
        run_services(both, tmp_path, 30, threading.Event(), QUIET)
    assert not psutil.pid_exists(int((tmp_path / "parent").read_text()))


def test_one_that_never_answers_is_named(tmp_path: Path) -> None:
    silent = Service("silent", ("sleep", "300"), lambda: False, "nowhere")
    with pytest.raises(PipelineError, match=r"silent did not answer within 1 s"):
        run_services([silent], tmp_path, 1, threading.Event(), QUIET)


def test_one_that_cannot_be_started_ends_those_before_it(tmp_path: Path) -> None:
    before = _pids()
    missing = Service("missing", ("/nowhere/program",), lambda: True, "nowhere")
    with pytest.raises(PipelineError, match="missing cannot be started"):
        run_services([_service("parent", PARENT, tmp_path), missing], tmp_path, 30, threading.Event(), QUIET)
    assert _pids() <= before


def test_one_that_does_not_listen_is_ended_all_the_same(tmp_path: Path) -> None:
    deaf = Running(_service("deaf", DEAF, tmp_path), tmp_path)
    while not (tmp_path / "deaf").exists():
        time.sleep(0.05)
    deaf.ask_to_end()
    deaf.end(timeout_s=0.5)
    assert deaf.status() == -signal.SIGKILL


def test_a_parent_that_crashed_leaves_no_child(tmp_path: Path) -> None:
    code = PARENT.replace("start_new_session=True", "").replace("time.sleep(300)", "sys.exit(3)")
    crashed = Running(_service("crashed", code, tmp_path), tmp_path)
    while crashed.status() is None:
        time.sleep(0.05)
    child = psutil.Process(int((tmp_path / "crashed").read_text()))
    crashed.ask_to_end()
    crashed.end()
    assert not child.is_running()


def test_a_stack_that_is_killed_takes_its_services_along(tmp_path: Path) -> None:
    stack = subprocess.Popen([sys.executable, "-c", KILLED, str(tmp_path)], cwd=ROOT, env=OFFLINE)
    while not (tmp_path / SERVICES_FILE).exists():
        assert stack.poll() is None
        time.sleep(0.05)
    service = psutil.Process(json.loads((tmp_path / SERVICES_FILE).read_text())["sleep"]["pid"])
    stack.kill()
    stack.wait()
    _, left = psutil.wait_procs([service], timeout=10)
    assert not left


@contextmanager
def _taken() -> Iterator[int]:
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        yield server.getsockname()[1]


def test_a_port_that_was_asked_for_and_is_taken_is_refused() -> None:
    with _taken() as port, pytest.raises(PipelineError, match=f"port {port} of 127.0.0.1 cannot be used for mlflow"):
        choose({"mlflow": port})


def test_a_usual_port_that_is_taken_is_another_one(monkeypatch: pytest.MonkeyPatch) -> None:
    with _taken() as port:
        monkeypatch.setitem(USUAL, "mlflow", port)
        found = choose({name: 0 for name in USUAL if name != "mlflow"})
    assert found.keys() == USUAL.keys()
    assert port not in found.values()
    assert len(set(found.values())) == len(found)


def test_one_port_for_two_is_refused() -> None:
    with pytest.raises(PipelineError, match="must differ"):
        choose({"http": 9, "grpc": 9})


def test_a_program_that_is_not_here_is_one_sentence(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(PipelineError, match=r"prometheus is not here: install .* or leave it out with --without"):
        programs(frozenset({"exporter"}))
    assert programs(frozenset({"exporter", "prometheus"})) == {}


def test_everything_listens_on_loopback(tmp_path: Path) -> None:
    options = StackOptions(build=tmp_path, without=frozenset({"dashboard"}))
    found = {each.name: each for each in services(options, USUAL, {"prometheus": "p", "exporter": "e"})}
    assert list(found) == ["triton", "mlflow", "exporter", "prometheus"]  # serving and Streamlit have no other address
    for name in ("mlflow", "exporter", "prometheus"):
        assert "127.0.0.1" in " ".join(found[name].command), name


def test_a_release_that_is_there_is_kept(tmp_path: Path) -> None:
    (tmp_path / "model_repository").mkdir()
    place_shipped(tmp_path, QUIET)
    assert [path.name for path in tmp_path.iterdir()] == ["model_repository"]
    with pytest.raises(PipelineError, match="is no placed release"):
        tasks_of(tmp_path / "model_repository")


def _stack(*words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "pipelines", "stack", *words]
    return subprocess.run(command, cwd=ROOT, env=OFFLINE, capture_output=True, text=True, check=False, timeout=120)


def test_a_second_stack_in_the_same_folder_is_refused(tmp_path: Path) -> None:
    import fcntl

    (tmp_path / "stack").mkdir()
    words = ["--build", str(tmp_path), "--without=prometheus", "--without=exporter"]
    with (tmp_path / "stack" / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        found = _stack(*words)
    assert (found.returncode, "runs in" in found.stdout) == (1, True)
    assert [path.name for path in tmp_path.iterdir()] == ["stack"]


def test_wrong_words_are_2() -> None:
    assert _stack("--port", "nothing=1").returncode == 2
    assert "give NAME=NUMBER" in _stack("--port", "mlflow=x").stderr


@pytest.mark.slow
def test_make_test_stack_fails_where_its_programs_are_missing(tmp_path: Path) -> None:
    """The whole suite skips the same test, and says the same."""
    (words,) = expanded("make test-stack")
    file = "tests/end_to_end/test_stack.py"
    target = words[words.index(".venv/bin/pytest") + 1 : words.index(file) + 1]
    sentence = "install Debian's prometheus, prometheus-node-exporter, chromium"
    for given, status, outcome in ((target, 1, "1 error"), ([file, "-rs"], 0, "1 skipped")):
        ran = subprocess.run(
            [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *given],
            cwd=ROOT,
            env=OFFLINE | {"PATH": str(tmp_path)},
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )
        assert (ran.returncode, sentence in ran.stdout, outcome in ran.stdout) == (status, True, True), ran.stdout
