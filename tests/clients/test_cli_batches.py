"""Many images through the command: directories, JSON lines, going on where an earlier run stopped, tiles, a bar."""

import io
import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import cv2
import numpy as np
import pytest
import rasterio
from fovea_client.cli import main
from fovea_client.cli.images import find_images
from fovea_client.cli.outputs import origin_of, plan_outputs
from fovea_client.cli.terminal import Progress, bar
from grpc import StatusCode

pytestmark = pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")


@pytest.fixture
def folder(tmp_path: Path, picture: np.ndarray) -> Path:
    """Four pictures below a folder, among files that are none."""
    for name in ("a.png", "b.PNG", "deep/a.png", "deep/er/c.tif"):
        path = tmp_path / "in" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(path), picture[..., ::-1])
    (tmp_path / "in" / "notes.txt").write_text("no picture")
    (tmp_path / "in" / ".hidden.png").write_bytes(b"no picture")
    return tmp_path / "in"


def segment(server, out: Path, *words: object) -> int:
    return main(["segment", "--url", server.address, "--out", str(out), *map(str, words)])


def lines(capsys) -> list[dict]:
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def asked(server) -> int:
    return server.calls.count("ModelInfer")


def test_a_directory_is_all_its_images_in_the_same_folders(server, folder: Path, tmp_path: Path, capsys) -> None:
    out = tmp_path / "out"
    assert segment(server, out, folder) == 0
    written = {str(path.relative_to(out)) for path in out.rglob("*") if path.is_file()}
    stems = ("a", "b", "deep/a", "deep/er/c")
    assert written == {f"{stem}_{kind}.png" for stem in stems for kind in ("mask", "probability")}
    assert [line.split("] ")[0] for line in capsys.readouterr().out.splitlines()] == ["[1/4", "[2/4", "[3/4", "[4/4"]


def test_results_below_a_directory_are_no_images_of_it(server, folder: Path) -> None:
    assert segment(server, folder / "out", folder) == 0
    assert segment(server, folder / "out", folder) == 0
    assert asked(server) == 8


def test_a_directory_without_images_is_a_wrong_call(server, tmp_path: Path, capsys) -> None:
    (tmp_path / "empty").mkdir()
    assert segment(server, tmp_path / "out", tmp_path / "empty") == 2
    assert "holds no image" in capsys.readouterr().err


def test_json_lines_say_what_became_of_each_image(server, folder: Path, tmp_path: Path, picture, capsys) -> None:
    assert segment(server, tmp_path / "out", folder / "a.png", folder / "notes.txt", "--json") == 1
    first, second = lines(capsys)
    mask = picture[..., 0] > 127
    assert first.pop("elapsed_ms") > 0
    assert first == {
        "image": str(folder / "a.png"),
        "status": "done",
        "task": "vessels",
        "model_version": "3",
        "width_px": 37,
        "height_px": 23,
        "mask": str(tmp_path / "out" / "a_mask.png"),
        "probability": str(tmp_path / "out" / "a_probability.png"),
        "pixels": {"background": int((~mask).sum()), "vessel": int(mask.sum())},
    }
    assert (second["status"], second["error"]) == ("failed", "InvalidImageError")
    assert "no image" in second["message"]


def test_resume_asks_only_for_what_is_not_there(server, folder: Path, tmp_path: Path, capsys) -> None:
    out = tmp_path / "out"
    assert segment(server, out, folder) == 0
    (out / "deep" / "a_probability.png").unlink()
    capsys.readouterr()
    assert segment(server, out, folder, "--resume", "--json") == 0
    assert [line["status"] for line in lines(capsys)] == ["skipped", "skipped", "done", "skipped"]
    assert asked(server) == 5
    assert segment(server, out, folder) == 0
    assert asked(server) == 9, "without --resume nothing is believed"


def halve(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def damage(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


SPOILT = {
    "half of it": halve,
    "one bit": damage,
    "nothing": lambda path: path.write_bytes(b""),
    "longer": lambda path: path.write_bytes(path.read_bytes() + b"x"),
    "of another make": lambda path: cv2.imwrite(str(path), np.zeros((23, 37), np.uint8)),
}


@pytest.mark.parametrize("kind", ["mask", "probability"])
@pytest.mark.parametrize("how", SPOILT)
def test_resume_never_believes_a_file_that_is_not_whole(server, folder: Path, tmp_path: Path, how: str, kind) -> None:
    out, image = tmp_path / "out", folder / "a.png"
    assert segment(server, out, image) == 0
    whole = (out / f"a_{kind}.png").read_bytes()
    SPOILT[how](out / f"a_{kind}.png")
    assert segment(server, out, image, "--resume") == 0
    assert asked(server) == 2
    assert (out / f"a_{kind}.png").read_bytes() == whole


def test_resume_sees_that_an_image_or_the_task_changed(server, folder: Path, tmp_path: Path, picture) -> None:
    out, image = tmp_path / "out", folder / "a.png"
    assert segment(server, out, image) == 0
    cv2.imwrite(str(image), picture[::-1, :, ::-1])
    assert segment(server, out, image, "--resume") == 0
    assert asked(server) == 2
    (plan,) = plan_outputs(find_images([image]), out)
    assert plan.done(origin_of(image, "vessels"))
    assert not plan.done(origin_of(image, "roads")), "masks of another task"


def test_a_server_that_goes_away_ends_the_run_with_3(server, folder: Path, tmp_path: Path, capsys) -> None:
    server.faults["ModelInfer"] = (StatusCode.UNAVAILABLE, "gone")
    server.ready = False
    assert segment(server, tmp_path / "out", folder, "--timeout-s", "1", "--in-flight", "1") == 3
    said = capsys.readouterr().err.splitlines()
    assert len(said) == 1
    assert said[0].endswith("0 of 4 images were dealt with, 0 of them failed: run it again with --resume")


def test_a_server_that_is_not_there_is_3(folder: Path, tmp_path: Path, capsys) -> None:
    words = ["--url", "127.0.0.1:1", "--timeout-s", "1"]
    assert main(["segment", str(folder), "--out", str(tmp_path / "out"), *words]) == 3
    assert main(["models", *words]) == 3
    assert main(["ready", "--wait-s", "0.3", *words]) == 3
    assert len(capsys.readouterr().err.splitlines()) == 3


def test_a_server_that_refuses_is_4(server, capsys) -> None:
    server.faults["RepositoryIndex"] = (StatusCode.UNAUTHENTICATED, "who are you")
    assert main(["models", "--url", server.address]) == 4
    assert "who are you" in capsys.readouterr().err


def test_a_picture_is_cut_into_tiles_and_written_where_it_lies(server, tmp_path: Path, capsys) -> None:
    planes = np.random.default_rng(0).integers(0, 256, (3, 200, 300), dtype=np.uint8)
    place = {"crs": "EPSG:32640", "transform": rasterio.transform.from_origin(5.0, 9.0, 0.5, 0.5)}
    with rasterio.open(
        tmp_path / "land.tif", "w", driver="GTiff", count=3, height=200, width=300, dtype="uint8", **place
    ) as file:
        file.write(planes)
    words = (tmp_path / "land.tif", "--tiled", "--tile-px", 128, "--json")
    assert segment(server, tmp_path / "out", *words) == 0
    (record,) = lines(capsys)
    assert record["tiles"] == asked(server) == 3 * 4
    assert sum(record["pixels"].values()) == 60_000
    with rasterio.open(tmp_path / "out" / "land_mask.tif") as file:
        assert (file.crs.to_epsg(), file.transform) == (32640, place["transform"])
        np.testing.assert_array_equal(file.read(1), planes[0] > 127)
    assert segment(server, tmp_path / "out", *words, "--resume") == 0
    assert lines(capsys)[0]["status"] == "skipped"
    halve(tmp_path / "out" / "land_mask.tif")
    assert segment(server, tmp_path / "out", *words, "--resume") == 0
    assert lines(capsys)[0]["status"] == "done"
    assert asked(server) == 24
    before = 24
    for other in (("--tile-px", 64), (), ("--overlap-px", 0)):
        assert segment(server, tmp_path / "out", tmp_path / "land.tif", "--tiled", *other, "--resume") == 0
        assert asked(server) > before, "tiles cut otherwise make another mask"
        before = asked(server)


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_an_interrupted_run_leaves_whole_files_only(server, folder: Path, tmp_path: Path, number, status: int) -> None:
    server.delays_s["ModelInfer"] = 0.4
    command = [sys.executable, "-m", "fovea_client", "segment", folder, "--url", server.address, "--in-flight", "1"]
    process = subprocess.Popen([*map(str, command), "--out", str(tmp_path / "out")], stderr=subprocess.PIPE)
    while not (tmp_path / "out" / "a_probability.png").exists():
        assert process.poll() is None
        time.sleep(0.02)
    process.send_signal(number)
    process.communicate(timeout=30)
    assert process.returncode == status
    names = {path.name for path in (tmp_path / "out").rglob("*") if path.is_file()}
    assert not [name for name in names if name.endswith(".tmp")]
    server.delays_s.clear()
    before = asked(server)
    assert segment(server, tmp_path / "out", folder, "--resume") == 0
    assert asked(server) - before == 4 - len([name for name in names if "probability" in name])


@pytest.mark.parametrize("words", [[], ["--tiled", "--tile-px", "64"]], ids=["images", "tiles"])
def test_ctrl_c_does_not_wait_for_answers(server, tmp_path: Path, words: list[str]) -> None:
    server.delays_s["ModelInfer"] = 60
    cv2.imwrite(str(tmp_path / "land.png"), np.zeros((100, 300, 3), np.uint8))
    command = [sys.executable, "-m", "fovea_client", "segment", str(tmp_path), "--url", server.address, *words]
    process = subprocess.Popen([*command, "--out", str(tmp_path / "out"), "--timeout-s", "50"])
    while not asked(server):
        assert process.poll() is None
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    assert process.wait(10) == 130
    assert not list((tmp_path / "out").iterdir())


@pytest.fixture
def eyes(server, folder: Path) -> Path:
    server.parameters["kind"] = "classification"
    server.parameters["classes"] = json.dumps([{"name": name, "colour": [0, 0, 0]} for name in ("good", "bad")])
    server.replaced_outputs = {"label": np.array([1], np.int32), "probability": np.array([0.25, 0.75], np.float32)}
    return folder


def classify(server, *words: object) -> int:
    return main(["classify", "--url", server.address, "--task", "vessels", *map(str, words)])


def test_classes_are_kept_as_json_lines_and_gone_on_with(server, eyes: Path, tmp_path: Path, capsys) -> None:
    kept = tmp_path / "classes.jsonl"
    assert classify(server, eyes, "--out", kept) == 0
    before = kept.read_text()
    records = [json.loads(line) for line in before.splitlines()]
    assert [(record["label"], record["probability"]) for record in records] == [
        ("bad", {"good": 0.25, "bad": 0.75})
    ] * 4
    kept.write_text(before[: before.rindex("label")])
    capsys.readouterr()
    assert classify(server, eyes, "--out", kept, "--resume", "--json") == 0
    assert [record["status"] for record in lines(capsys)] == ["skipped"] * 3 + ["done"]
    assert [json.loads(line)["image"] for line in kept.read_text().splitlines()] == [r["image"] for r in records]
    assert asked(server) == 5


def test_classes_cannot_be_gone_on_with_without_a_file(server, eyes: Path, capsys) -> None:
    assert classify(server, eyes, "--resume") == 2
    assert "name it with --out FILE" in capsys.readouterr().err


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_bar_is_drawn_on_a_terminal_only() -> None:
    for stream, drawn in ((Terminal(), True), (io.StringIO(), False)):
        with Progress(4, "images", stream) as progress:
            progress.update(1, 4)
            progress.hide()
            progress.show()
        assert ("0/4 images" in stream.getvalue()) == drawn
        assert stream.getvalue().endswith("\r\x1b[K") == drawn


def test_a_bar_says_how_long_it_takes() -> None:
    assert bar(0, 10, "images", 3.0) == f"[{'.' * 24}] 0/10 images"
    assert bar(5, 10, "images", 100.0) == f"[{'#' * 12}{'.' * 12}] 5/10 images, 0.1/s, 1:40 left"
    assert bar(1, 101, "tiles", 60.0).endswith("1/101 tiles, 0.0/s, 1:40:00 left")
    assert bar(10, 10, "tiles", 1.0).startswith(f"[{'#' * 24}] 10/10 tiles")


def test_environment_names_the_server_and_an_option_is_stronger(server, monkeypatch, capsys) -> None:
    monkeypatch.setenv("FOVEA_URL", "127.0.0.1:1")
    assert main(["ready", "--timeout-s", "1"]) == 1
    assert main(["ready", "--url", server.address, "--json"]) == 0
    assert json.loads(capsys.readouterr().out.splitlines()[-1]) == {"url": server.address, "ready": True}


def test_tokens_come_from_files_and_the_environment_and_are_not_told(server, tmp_path, monkeypatch, capsys) -> None:
    seen: list[dict[str, str]] = []
    enter = server._enter
    server._enter = lambda method, context, model="vessels": (
        seen.append(dict(context.invocation_metadata())),
        enter(method, context, model),
    )
    (tmp_path / "token").write_text("from-a-file\n")
    (tmp_path / "restricted").write_text("admin-key=admin-value\n")
    words = ["models", "--url", server.address]
    assert (
        main([*words, "--token-file", str(tmp_path / "token"), "--restricted-file", str(tmp_path / "restricted")]) == 0
    )
    assert seen[-1]["authorization"] == "Bearer from-a-file"
    assert seen[-1]["triton-grpc-protocol-admin-key"] == "admin-value"
    monkeypatch.setenv("FOVEA_TOKEN", "from-the-environment")
    assert main(words) == 0
    assert seen[-1]["authorization"] == "Bearer from-the-environment"
    server.faults["RepositoryIndex"] = (StatusCode.UNAUTHENTICATED, "no")
    assert main(words) == 4
    assert main([*words, "--token-file", str(tmp_path / "nowhere")]) == 2
    captured = capsys.readouterr()
    assert "from-" not in captured.out + captured.err
    assert f"{tmp_path / 'nowhere'}: cannot be read" in captured.err


def test_no_module_but_the_commands_own_reads_the_environment() -> None:
    import fovea_client

    package = Path(fovea_client.__file__).parent
    readers = {
        path for path in package.rglob("*.py") if "os.environ" in path.read_text() or "getenv" in path.read_text()
    }
    assert readers == {package / "cli" / "command.py"}
