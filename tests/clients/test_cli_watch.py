"""`fovea watch` and `fovea completion`."""

import json
import shutil
import signal
import subprocess
import sys

import pytest
from fovea_client.cli import main
from fovea_client.cli.completion import SHELLS
from grpc import StatusCode


def watch(server, *words: object) -> int:
    return main(["watch", "--url", server.address, "--interval-s", "0.05", *map(str, words)])


def test_every_look_is_a_json_line(server, capsys) -> None:
    assert watch(server, "--count", 3, "--json") == 0
    looks = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert len(looks) == 3
    assert all(look["ready"] and 0 < look["latency_ms"] < 5000 and look["error"] is None for look in looks)
    assert looks[0]["models"] == [
        {"name": "vessels", "version": "1", "state": "READY"},
        {"name": "broken", "version": "2", "state": "UNAVAILABLE"},
        {"name": "asleep", "version": "", "state": "UNLOADED"},
    ]
    assert looks[0]["time"] < looks[1]["time"] < looks[2]["time"]


def test_a_line_for_people_where_no_terminal_is(server, capsys) -> None:
    assert watch(server, "--count", 1, "vessels") == 0
    assert f"{server.address} is ready, " in (said := capsys.readouterr().out)
    assert said.endswith("ms, 1 of 1 models ready\n")


def test_a_server_that_is_away_is_a_look_too(server, capsys) -> None:
    server.ready = False
    server.faults["RepositoryIndex"] = (StatusCode.INTERNAL, "oh")
    assert watch(server, "--count", 2, "--json") == 1
    looks = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [(look["ready"], look["models"]) for look in looks] == [(False, [])] * 2
    assert "oh" in looks[0]["error"]


def test_a_terminal_is_painted_anew(server, capsys, monkeypatch) -> None:
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True, raising=False)
    assert watch(server, "--count", 2) == 0
    screens = capsys.readouterr().out.split("\x1b[H\x1b[2J")
    assert len(screens) == 3
    assert "last 2 looks: 2 ready, median " in screens[2]
    assert "  broken   2  UNAVAILABLE  no such file\n" in screens[2]


def test_ctrl_c_ends_it_with_130(server) -> None:
    command = [sys.executable, "-m", "fovea_client", "watch", "--url", server.address, "--json"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert json.loads(process.stdout.readline())["ready"]
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=30)
    assert (process.returncode, errors) == (130, "fovea: interrupted\n")


def complete(script: str, *words: str) -> set[str]:
    """What bash offers for the last of the words."""
    line = " ".join(f"'{word}'" for word in words)
    code = f'{script}\nCOMP_WORDS=({line}); COMP_CWORD={len(words) - 1}; _fovea; printf "%s\\n" "${{COMPREPLY[@]}}"'
    done = subprocess.run(["bash", "-c", code], check=True, capture_output=True, text=True, timeout=20)
    assert done.stderr == ""
    return set(done.stdout.split())


@pytest.fixture
def bash(capsys) -> str:
    assert main(["completion", "bash"]) == 0
    return capsys.readouterr().out


@pytest.mark.skipif(shutil.which("bash") is None, reason="no bash")
def test_bash_completes_commands_options_and_files(bash: str, tmp_path) -> None:
    assert complete(bash, "fovea", "") == {"segment", "classify", "ready", "models", "watch", "completion"}
    assert complete(bash, "fovea", "seg") == {"segment"}
    assert complete(bash, "fovea", "segment", "--til") == {"--tiled", "--tile-px"}
    assert complete(bash, "fovea", "completion", "") == {*SHELLS, "--help"}
    (tmp_path / "eye.png").touch()
    assert complete(bash, "fovea", "segment", f"{tmp_path}/e") == {f"{tmp_path}/eye.png"}
    assert complete(bash, "fovea", "segment", "--out", f"{tmp_path}/e") == {f"{tmp_path}/eye.png"}


@pytest.mark.parametrize("shell", SHELLS)
def test_every_shell_is_told_every_option(shell: str, capsys) -> None:
    assert main(["completion", shell]) == 0
    script = capsys.readouterr().out
    for option in ("tiled", "resume", "in-flight", "token-file", "interval-s", "wait-s"):
        assert option in script
    assert "%(default)" not in script
    if program := shutil.which(shell):
        subprocess.run([program, "-n"], input=script, check=True, text=True, timeout=20)


def test_an_unknown_shell_is_a_wrong_call(capsys) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["completion", "powershell"])
    assert caught.value.code == 2
    assert "bash" in capsys.readouterr().err


@pytest.mark.parametrize(("model", "status"), [("vessels", 0), ("nosuch", 1)])
def test_a_model_that_is_not_there_is_not_ready(server, model: str, status: int) -> None:
    assert watch(server, model, "--count", "1") == status
