"""The front doors: exit codes, files, sentences."""

import json
import math
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from onnx_release import onnx_release
from PIL import Image
from prometheus_client.parser import text_string_to_metric_families

from monitoring import plots
from monitoring.__main__ import main
from monitoring.judgement import KINDS
from tasks import get_task
from tasks.held_out import save_classes

Draw = Callable[..., Path]


@pytest.fixture
def reference(placed: Path, draw: Draw, tmp_path: Path) -> Path:
    out = tmp_path / "reference"
    words = ("--task", "eye_disease", "--release", str(placed), "--out", str(out))
    assert main(["reference", "--images", str(draw("training", 40)), *words]) == 0
    return out


def _drift(placed: Path, reference: Path, images: Path, *more: str) -> int:
    words = ("--task", "eye_disease", "--release", str(placed), "--reference", str(reference), "--draws", "1000")
    return main(["drift", "--images", str(images), "--out", str(images.parent / "out"), *words, *more])


def test_no_drift_is_0_and_drift_is_1(placed: Path, reference: Path, draw: Draw, tmp_path: Path) -> None:
    assert _drift(placed, reference, draw("same", 30, seed=1)) == 0
    document = json.loads((tmp_path / "out" / "drift.json").read_text())
    assert (document["task"], document["window_images"], document["alarm"]) == ("eye_disease", 30, False)
    assert _drift(placed, reference, draw("brighter", 30, seed=2, gain=1.2)) == 1
    document = json.loads((tmp_path / "out" / "drift.json").read_text())
    assert document["alarm"]
    assert {"brightness", "red"} <= {test["statistic"] for test in document["tests"] if test["alarm"]}
    assert document["means"]["brightness"]["window"] > 1.1 * document["means"]["brightness"]["reference"]
    assert set(document["tests"][0]) == {"kind", "statistic", "method", "score", "threshold", "p_value", "alarm"}


@pytest.mark.parametrize(("word", "said"), [([], "permutation"), (["--bootstrap"], "bootstrap")])
def test_the_document_says_how_thresholds_were_drawn(
    placed: Path, reference: Path, draw: Draw, tmp_path: Path, word: list[str], said: str
) -> None:
    assert _drift(placed, reference, draw("brighter", 30, seed=2, gain=1.2), *word) == 1
    assert json.loads((tmp_path / "out" / "drift.json").read_text())["resampling"] == said
    assert ("bootstrap" in (tmp_path / "out" / "report.html").read_text()) == bool(word)


def test_the_text_file_says_what_the_document_says(placed: Path, reference: Path, draw: Draw, tmp_path: Path) -> None:
    window = draw("brighter", 30, seed=2, gain=1.2)
    _drift(placed, reference, window, "--textfile", str(tmp_path / "metrics" / "drift.prom"))
    document = json.loads((tmp_path / "out" / "drift.json").read_text())
    families = text_string_to_metric_families((tmp_path / "metrics" / "drift.prom").read_text())
    found = {(each.name, tuple(sorted(each.labels.items()))): each.value for each in _samples(families)}
    for test in document["tests"]:
        labels = (("method", test["method"]), ("statistic", test["statistic"]), ("task", "eye_disease"))
        for name in ("score", "threshold", "p_value"):
            assert math.isclose(found[f"fovea_drift_{name}", labels], test[name])
    for kind in KINDS:
        labels = (("kind", kind), ("task", "eye_disease"))
        assert found["fovea_drift_alarm", labels] == document["alarms"][kind]
    assert found["fovea_drift_window_images", (("task", "eye_disease"),)] == 30
    assert ("fovea_reference_created_timestamp_seconds", (("task", "eye_disease"),)) in found
    assert "000.png" not in (tmp_path / "metrics" / "drift.prom").read_text()


def _samples(families: object) -> list:
    return [sample for family in families for sample in family.samples]  # type: ignore[attr-defined]


def test_the_report_shows_pictures_only_when_asked(placed: Path, reference: Path, draw: Draw, tmp_path: Path) -> None:
    window = draw("window", 20, seed=3)
    _drift(placed, reference, window)
    page = (tmp_path / "out" / "report.html").read_text()
    assert "data:image/jpeg" not in page
    _drift(placed, reference, window, "--thumbnails", "3")
    page = (tmp_path / "out" / "report.html").read_text()
    assert page.count("data:image/jpeg") == 3
    assert "personal data" in page


def test_a_name_cannot_write_into_the_report(placed: Path, reference: Path, draw: Draw, tmp_path: Path) -> None:
    window = draw("window", 12, seed=3)
    for file in list(window.iterdir()):
        file.rename(file.with_name(f"<script>{file.name}"))
    _drift(placed, reference, window)
    assert "<script>" not in (tmp_path / "out" / "report.html").read_text()


def test_a_name_that_is_no_utf_8_is_in_the_report_and_only_its_owner_reads_it(
    placed: Path, reference: Path, draw: Draw, tmp_path: Path
) -> None:
    window = draw("window", 12, seed=3)
    for file in list(window.iterdir()):
        file.rename(file.with_name(os.fsdecode(b"\xff" + file.name.encode())))
    assert _drift(placed, reference, window) == 0
    assert "?000.png" in (tmp_path / "out" / "report.html").read_text()
    for name in ("report.html", "drift.json"):
        assert (tmp_path / "out" / name).stat().st_mode & 0o777 == 0o600


def test_a_seed_below_0_is_refused_before_anything_is_measured(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        _drift(tmp_path, tmp_path, tmp_path, "--seed", "-1")
    assert ended.value.code == 2
    assert "-1 is not 0 or over" in capsys.readouterr().err


def test_where_nothing_varies_no_distribution_is_drawn() -> None:
    assert plots.distributions([]) == ""


def test_a_label_of_two_pictures_is_refused(tmp_path: Path) -> None:
    from monitoring.errors import LabelsError
    from monitoring.labels import late_labels

    (tmp_path / "labels.json").write_text(json.dumps({"one": "normal"}))
    files = [tmp_path / day / f"{name}.png" for day in ("monday", "tuesday") for name in ("one", "two")]
    with pytest.raises(LabelsError, match="have one label, one: give each a name"):
        late_labels(tmp_path, files, get_task("eye_disease"))


def test_a_damaged_picture_is_left_out_and_told(
    placed: Path, reference: Path, draw: Draw, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    window = draw("window", 20, seed=4)
    (window / "broken.jpg").write_bytes(b"\xff\xd8\xff no picture")
    assert _drift(placed, reference, window) == 0
    assert "broken.jpg" in capsys.readouterr().err
    document = json.loads((tmp_path / "out" / "drift.json").read_text())
    assert (document["window_images"], document["unreadable_images"]) == (20, 1)


def test_what_cannot_be_judged_is_2_and_one_sentence(
    placed: Path, reference: Path, draw: Draw, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def sentence(code: int) -> str:
        assert code == 2
        return capsys.readouterr().err.strip().splitlines()[-1]

    small, window = draw("small", 4), draw("window", 20)
    assert "has 4 usable pictures and drift is judged from 10 on" in sentence(_drift(placed, reference, small))
    assert "is no folder" in sentence(_drift(placed, reference, tmp_path / "nowhere"))
    assert "there is no" in sentence(_drift(placed, tmp_path, window))
    assert "is no placed release" in sentence(_drift(tmp_path / "none", reference, window))
    other = onnx_release(tmp_path / "other", get_task("eye_disease"), bias=0.3)
    assert "is of another network" in sentence(_drift(other, reference, window))
    assert "has 0 labelled pictures" in sentence(_drift(placed, reference, window, "--labels", str(tmp_path)))
    assert "must end in .prom" in sentence(_drift(placed, reference, window, "--textfile", str(tmp_path / "x.txt")))
    assert not (tmp_path / "x.txt").exists()


def _held_out(folder: Path, pictures: Path, right: bool) -> Path:
    """A model folder, and labels: all normal where right, for the network says so of reddish pictures."""
    images = folder / "held_out" / "images"
    images.mkdir(parents=True)
    for file in pictures.iterdir():
        (images / file.name).write_bytes(file.read_bytes())
    labels = {file.stem: "normal" if right else "cataract" for file in pictures.iterdir()}
    (folder / "held_out" / "labels.json").write_text(json.dumps(labels))
    return folder


def test_late_labels_tell_that_the_network_has_become_worse(placed: Path, draw: Draw, tmp_path: Path) -> None:
    words = ("--task", "eye_disease", "--release", str(placed), "--out", str(tmp_path / "reference"))
    training = draw("training", 30)
    model = _held_out(tmp_path / "model", training, right=True)
    assert main(["reference", "--images", str(training), "--held-out", str(model), *words]) == 0
    window = draw("window", 20, seed=1)
    for right, code in ((True, 0), (False, 1)):
        labels = _held_out(tmp_path / f"labels-{right}", window, right) / "held_out"
        assert _drift(placed, tmp_path / "reference", window, "--labels", str(labels)) == code
        document = json.loads((tmp_path / "out" / "drift.json").read_text())
        assert document["window_labelled"] == 20
        assert document["alarms"]["performance"] is not right


def test_masks_are_read_as_indices_or_as_0_and_255(tmp_path: Path) -> None:
    from monitoring.errors import LabelsError
    from monitoring.labels import late_labels

    task, truth = get_task("vessels"), np.eye(64, dtype=np.uint8)
    pictures = [tmp_path / f"{name}.jpg" for name in ("indices", "mask", "none")]
    for file in pictures:
        Image.new("RGB", (64, 64)).save(file)
    labels = tmp_path / "labels"
    labels.mkdir()
    save_classes(labels / "indices.png", truth, task)
    Image.fromarray(truth * 255).save(labels / "mask.png")
    found = late_labels(labels, pictures, task)
    assert [each.file.stem for each in found] == ["indices", "mask"]
    assert all((each.truth == truth).all() for each in found)
    Image.new("L", (32, 32)).save(labels / "none.png")
    with pytest.raises(LabelsError, match="is not of the size of"):
        late_labels(labels, pictures, task)


def test_performance_by_hand(tmp_path: Path) -> None:
    """Half of the vessels found with a probability of 204 / 255 everywhere there, 51 / 255 elsewhere."""
    from monitoring.labels import performance
    from monitoring.network import Answer
    from tasks.imaging import Geometry
    from tasks.processing import NetworkInput

    task, size = get_task("vessels"), get_task("vessels").size_px
    view = np.ones((size, size), np.uint8)
    fitted = NetworkInput(np.zeros((size, size, 3), np.uint8), view, Geometry(size, size, 0, 0, size))
    probability = np.full((size, size), 51, np.uint8)
    probability[: size // 4] = 204
    truth = np.zeros((size, size), np.uint8)
    truth[: size // 2] = 1
    entropy, dice = performance(fitted, Answer(probability, None, np.zeros(1, np.float32)), truth, task)
    assert dice == pytest.approx(2 / 3)
    assert entropy == pytest.approx(-(3 * np.log(0.8) + np.log(0.2)) / 4)
