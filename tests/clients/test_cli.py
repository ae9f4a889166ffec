import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import cv2
import numpy as np
import pytest
from fovea_client.cli import main
from grpc import StatusCode


@pytest.fixture
def eye(tmp_path: Path, picture: np.ndarray) -> Path:
    path = tmp_path / "eye.png"
    cv2.imwrite(str(path), picture[..., ::-1])
    return path


def _usage(*arguments: str) -> int:
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    return int(caught.value.code)


def _segment(server, out: Path, *images: Path, options: tuple[str, ...] = ()) -> int:
    return main(["segment", *map(str, images), "--url", server.address, "--out", str(out), *options])


def test_masks_and_probabilities_are_written_to_be_seen(server, eye: Path, picture: np.ndarray, tmp_path, capsys):
    out = tmp_path / "deep" / "out"
    assert _segment(server, out, eye) == 0
    assert sorted(path.name for path in out.iterdir()) == ["eye_mask.png", "eye_probability.png"]
    mask = cv2.imread(str(out / "eye_mask.png"), cv2.IMREAD_UNCHANGED)
    np.testing.assert_array_equal(mask, np.where(picture[..., 0] > 127, 255, 0))
    probability = cv2.imread(str(out / "eye_probability.png"), cv2.IMREAD_UNCHANGED)
    np.testing.assert_array_equal(probability, picture[..., 0])
    captured = capsys.readouterr()
    assert captured.out.startswith(f"[1/1] {eye}: 37x23 px in ")
    assert captured.err == ""


def test_a_mask_of_more_classes_keeps_its_indices(server, eye: Path, picture: np.ndarray, tmp_path: Path) -> None:
    server.parameters["classes"] = str([{"name": n, "colour": [0, 0, 0]} for n in "abc"]).replace("'", '"')
    server.replaced_outputs = {"mask": picture[..., 0] % 3}
    assert _segment(server, tmp_path, eye) == 0
    mask = cv2.imread(str(tmp_path / "eye_mask.png"), cv2.IMREAD_UNCHANGED)
    np.testing.assert_array_equal(mask, picture[..., 0] % 3)


def test_files_have_the_mode_that_the_user_asks_of_new_files(server, eye: Path, tmp_path: Path) -> None:
    before = os.umask(0o022)
    try:
        assert _segment(server, tmp_path, eye) == 0
    finally:
        os.umask(before)
    assert (tmp_path / "eye_mask.png").stat().st_mode & 0o777 == 0o644


def test_one_bad_image_does_not_lose_the_others(server, eye: Path, tmp_path: Path, capsys) -> None:
    text = tmp_path / "notes.png"
    text.write_text("not an image")
    last = eye.with_name("last.png")
    last.write_bytes(eye.read_bytes())
    out = tmp_path / "out"
    assert _segment(server, out, tmp_path / "nowhere.png", text, eye, last) == 1
    assert {path.stem for path in out.iterdir()} == {"eye_mask", "eye_probability", "last_mask", "last_probability"}
    captured = capsys.readouterr()
    assert [line[:5] for line in captured.out.splitlines()] == ["[3/4]", "[4/4]"]
    errors = captured.err.splitlines()
    assert errors[0].startswith(f"[1/4] {tmp_path / 'nowhere.png'} failed: ")
    assert errors[1].startswith(f"[2/4] {text} failed: ")
    assert "this is no image" in errors[1]
    assert errors[2:] == ["fovea: 2 of 4 images failed"]


def test_a_file_that_cannot_be_written_fails_alone_and_leaves_nothing_behind(server, eye: Path, tmp_path, capsys):
    out = tmp_path / "out"
    (out / "eye_mask.png" / "full").mkdir(parents=True)
    last = eye.with_name("last.png")
    last.write_bytes(eye.read_bytes())
    assert _segment(server, out, eye, last) == 1
    assert "eye_mask.png: cannot be written" in capsys.readouterr().err
    assert {path.name for path in out.iterdir()} == {"eye_mask.png", "last_mask.png", "last_probability.png"}


def test_a_wrong_task_is_said_once_not_for_every_image(server, eye: Path, tmp_path: Path, capsys) -> None:
    last = eye.with_name("last.png")
    last.write_bytes(eye.read_bytes())
    assert _segment(server, tmp_path / "out", eye, last, options=("--task", "roads")) == 1
    errors = capsys.readouterr().err.splitlines()
    assert len(errors) == 1
    assert errors[0].startswith(f"fovea: model 'roads' at {server.address}: ")


def test_two_images_of_one_stem_are_refused(server, eye: Path, tmp_path: Path, capsys) -> None:
    twin = tmp_path / "other" / "eye.jpg"
    assert _segment(server, tmp_path / "out", eye, twin) == 2
    assert f"{eye} and {twin} would both be written to" in capsys.readouterr().err
    assert server.calls == []


def test_one_image_named_twice_is_refused(server, eye: Path, tmp_path: Path, capsys) -> None:
    assert _segment(server, tmp_path / "out", eye, eye) == 2
    assert "would both be written to" in capsys.readouterr().err


def test_results_never_replace_an_input(server, eye: Path, tmp_path: Path, capsys) -> None:
    named = eye.with_name("eye_mask.png")
    named.write_bytes(eye.read_bytes())
    assert _segment(server, tmp_path, eye, named) == 2
    assert "would replace an input: choose another --out" in capsys.readouterr().err
    assert named.read_bytes() == eye.read_bytes()
    assert server.calls == []


@pytest.mark.parametrize("out", ["eye.png", "eye.png/below"])
def test_an_out_that_takes_no_files_is_one_sentence(server, eye: Path, tmp_path: Path, capsys, out: str) -> None:
    assert _segment(server, tmp_path / out, eye) == 2
    errors = capsys.readouterr().err.splitlines()
    assert len(errors) == 1
    assert errors[0].startswith(f"fovea: --out {tmp_path / out}: cannot be written to (")
    assert server.calls == []


def test_ready_is_the_exit_status(server, capsys) -> None:
    assert main(["ready", "--url", f"grpc://{server.address}"]) == 0
    server.ready = False
    assert main(["ready", "--url", server.address]) == 1
    assert capsys.readouterr().out == f"{server.address} is ready\n{server.address} is not ready\n"
    assert main(["ready", "--url", "127.0.0.1:1"]) == 1


def test_models_are_a_table(server, capsys) -> None:
    assert main(["models", "--url", server.address]) == 0
    assert capsys.readouterr().out == (
        "vessels  1  READY\nbroken   2  UNAVAILABLE  no such file\nasleep   -  UNLOADED\n"
    )
    server.faults["RepositoryIndex"] = (StatusCode.INTERNAL, "oh")
    assert main(["models", "--url", server.address]) == 1
    assert capsys.readouterr().err.startswith(f"fovea: server {server.address}: oh (INTERNAL); ")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "the following arguments are required: COMMAND"),
        (["ready"], "--url"),
        (["ready", "--url", "http://localhost:8000"], "plain gRPC, not http"),
        (["ready", "--url", "localhost"], "is not host:port"),
        (["ready", "--url", "a:1", "--timeout-s", "0"], "'0' is no number of seconds above 0, at most 100000000"),
        (["ready", "--url", "a:1", "--timeout-s", "soon"], "'soon' is no number of seconds above 0, at most 100000000"),
        (["segment", "--url", "a:1", "--out", "x"], "IMAGE"),
        (["segment", "a.png", "--url", "a:1"], "--out"),
    ],
)
def test_wrong_usage_is_2(capsys, arguments: list[str], message: str) -> None:
    assert _usage(*arguments) == 2
    assert message in capsys.readouterr().err


def test_ctrl_c_is_130_without_a_traceback(server, eye: Path, tmp_path: Path) -> None:
    server.delays_s["ModelInfer"] = 30
    command = [sys.executable, "-m", "fovea_client", "segment", eye, "--url", server.address, "--out", tmp_path / "out"]
    process = subprocess.Popen([*map(str, command), "--timeout-s", "25"], stderr=subprocess.PIPE, text=True)
    give_up_s = time.monotonic() + 20
    while "ModelInfer" not in server.calls and time.monotonic() < give_up_s:
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=30)
    assert (process.returncode, errors) == (130, "fovea: interrupted\n")


def test_a_reader_that_goes_away_is_no_traceback(server) -> None:
    read, write = os.pipe()
    os.close(read)
    command = [sys.executable, "-m", "fovea_client", "models", "--url", server.address]
    done = subprocess.run(command, check=False, stdout=write, stderr=subprocess.PIPE, text=True, timeout=30)
    os.close(write)
    assert (done.returncode, done.stderr) == (1, "")


def test_a_name_that_is_no_text_is_printed(server, eye: Path, tmp_path: Path, capsys) -> None:
    odd = Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff.png"))
    odd.write_bytes(eye.read_bytes())
    assert _segment(server, tmp_path / "out", odd) == 0
    assert "\\udcff.png: 37x23 px" in capsys.readouterr().out
