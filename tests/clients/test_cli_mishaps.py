"""What goes wrong around the command: names, streams and files that are not as a script took them to be."""

import json
import os
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
from fovea_client.cli import main
from fovea_client.errors import OutputError
from fovea_client.tiled.raster import Area, RasterSource, RasterTarget, read_all_blocks

pytestmark = pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")


@pytest.fixture
def eye(tmp_path: Path, picture: np.ndarray) -> Path:
    cv2.imwrite(str(tmp_path / "eye.png"), picture)
    return tmp_path / "eye.png"


@pytest.fixture
def classifier(server):
    server.parameters["kind"] = "classification"
    server.replaced_outputs = {"label": np.array([1], np.int32), "probability": np.array([0.25, 0.75], np.float32)}
    return server


def classify(server, *words: object) -> list[str]:
    return ["classify", "--url", server.address, "--task", "vessels", *map(str, words)]


def test_a_name_that_is_too_long_costs_one_image(server, eye: Path, tmp_path: Path, capsys) -> None:
    long = eye.rename(tmp_path / f"{'x' * 240}.png")
    longer = tmp_path / f"{'y' * 300}.png"
    after = tmp_path / "z.png"
    after.write_bytes(long.read_bytes())
    assert (
        main(["segment", "--url", server.address, "--out", str(tmp_path / "out"), *map(str, (long, longer, after))])
        == 1
    )
    assert capsys.readouterr().err.count("File name too long") == 2
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"z_mask.png", "z_probability.png"}


def test_a_geotiff_with_a_name_that_is_too_long_is_an_output_error(eye: Path, tmp_path: Path) -> None:
    source = RasterSource(eye)
    with pytest.raises(OutputError):
        RasterTarget(tmp_path / f"{'x' * 250}.tif", source, block_px=16, tags={})
    source.close()


def test_a_name_that_the_stream_cannot_say_ends_nothing(server, eye: Path, tmp_path: Path) -> None:
    strange = eye.rename(tmp_path / "œil.png")
    command = [sys.executable, "-m", "fovea_client", "segment", strange, "--url", server.address, "--out", tmp_path]
    environment = os.environ | {"PYTHONIOENCODING": "ascii"}
    done = subprocess.run(command, check=False, env=environment, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")
    assert "\\u0153il.png: 37x23 px" in done.stdout


@pytest.mark.parametrize("words", [[], ["--resume"]], ids=["anew", "resume"])
def test_classes_never_replace_a_picture(classifier, eye: Path, tmp_path: Path, capsys, words: list[str]) -> None:
    before = eye.read_bytes()
    other = tmp_path / "other"
    other.write_bytes(before)
    # As the shell spells out `--out *.png`, and an image under a name that tells nothing.
    assert main(classify(classifier, other, "--out", eye, *words)) == 2
    assert main(classify(classifier, other, "--out", other, *words)) == 2
    assert eye.read_bytes() == other.read_bytes() == before
    assert capsys.readouterr().err.count("name another file") == 2


def test_a_reader_that_goes_away_is_not_blamed_on_the_kept_file(classifier, eye: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "fovea_client", *classify(classifier, eye, "--out", tmp_path / "kept.jsonl")]
    read, write = os.pipe()
    os.close(read)
    done = subprocess.run(command, check=False, stdout=write, stderr=subprocess.PIPE, text=True, timeout=60)
    os.close(write)
    assert (done.returncode, done.stderr) == (1, "")
    assert json.loads((tmp_path / "kept.jsonl").read_text())["status"] == "done"


def test_two_who_write_one_geotiff_do_not_spoil_each_other(eye: Path, tmp_path: Path) -> None:
    source = RasterSource(eye)
    first, second = (RasterTarget(tmp_path / "same.tif", source, block_px=16, tags={"by": by}) for by in "12")
    for target in (first, second):
        target.write(Area((0, 23), (0, 37)), np.zeros((23, 37), np.uint8))
    first.commit()
    assert read_all_blocks(tmp_path / "same.tif") == {"by": "1"}
    second.commit()
    assert read_all_blocks(tmp_path / "same.tif") == {"by": "2"}
    source.close()
    assert {path.name for path in tmp_path.iterdir()} == {"eye.png", "same.tif"}


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["segment", "", "--out", "out"], "a name is empty"),
        (["segment", "a.png", "--out", "out", "--tile-px", "64"], "only with --tiled"),
        (["segment", ".", "--out", "."], "would be taken for images"),
        (["ready", "--timeout-s", "1e10"], "at most 100000000"),
    ],
)
def test_a_wrong_call_is_refused(words: list[str], sentence: str, eye: Path, monkeypatch, capsys) -> None:
    monkeypatch.chdir(eye.parent)
    try:
        status = main([*words, "--url", "127.0.0.1:9"])
    except SystemExit as end:
        status = end.code
    assert status == 2
    assert sentence in capsys.readouterr().err


def test_a_full_disk_under_standard_output_is_one_line(classifier, eye: Path) -> None:
    command = [sys.executable, "-m", "fovea_client", *classify(classifier, eye)]
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(command, check=False, stdout=full, stderr=subprocess.PIPE, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (
        1,
        "fovea: standard output cannot be written to (No space left on device)\n",
    )


def test_a_token_may_end_with_a_line_break(server, monkeypatch, capsys) -> None:
    monkeypatch.setenv("FOVEA_TOKEN", "secret\n")
    assert main(["ready", "--url", server.address]) == 0


def test_version_is_told(capsys) -> None:
    with pytest.raises(SystemExit, match="0"):
        main(["--version"])
    assert capsys.readouterr().out.startswith("fovea-client ")
