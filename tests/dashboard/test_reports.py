"""What other stages left: evaluations and drift reports, whole, missing, damaged."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fovea_dashboard.drift import read_reports
from fovea_dashboard.errors import ReportError
from PIL import Image
from streamlit.testing.v1 import AppTest
from two_tasks import text

Page = Callable[..., AppTest]
TESTS = [
    {"statistic": "sharpness", "method": "psi", "score": 0.1, "threshold": 0.2, "p_value": None, "alarm": False},
    {"statistic": "brightness", "method": "ks", "score": 0.4, "threshold": 0.2, "p_value": 0.001, "alarm": True},
]
DRIFT = {
    "task": "vessels",
    "created": "2026-11-21T22:10:00+00:00",
    "window_images": 64,
    "alarm": True,
    "tests": TESTS,
    "another_key": 1,
}


def evaluation(folder: Path) -> Path:
    folder.mkdir(parents=True)
    rows = [{"name": "good", "subject": "1", "dice": 0.9}, {"name": "bad", "subject": "2", "dice": 0.2}]
    data = {"source": "drawn", "pictures": 2, "subjects": 2}
    measured = {"task": "vessels", "command": "evaluate", "data": data, "metrics": {"dice": 0.55}, "per_image": rows}
    (folder / "metrics.json").write_text(json.dumps(measured))
    for name in ("worst.jpg", "roc_curve.png"):
        Image.fromarray(np.zeros((4, 8, 3), np.uint8)).save(folder / name)
    return folder


def gallery(page: Page, folder: Path) -> AppTest:
    return page("--url", "127.0.0.1:1", "--gallery", str(folder), view="Worst cases")


@pytest.mark.parametrize("inner", ["", "vessels"])
def test_the_worst_come_first_from_one_evaluation_or_a_folder_of_them(page: Page, tmp_path: Path, inner: str) -> None:
    evaluation(tmp_path / "all" / "vessels")
    app = gallery(page, tmp_path / "all" / inner)
    assert not app.exception
    assert not app.error
    assert "Dice 0.550" in text(app)
    assert list(app.dataframe[0].value["Picture"]) == ["bad", "good"]
    assert len(app.get("image")) == 2


def test_a_picture_without_a_figure_comes_first(page: Page, tmp_path: Path) -> None:
    rows = [{"name": "bad", "dice": 0.2}, {"name": "none", "dice": None}]
    (tmp_path / "metrics.json").write_text(json.dumps({"per_image": rows}))
    app = gallery(page, tmp_path)
    assert not app.exception
    assert list(app.dataframe[0].value["Picture"]) == ["none", "bad"]


def test_no_evaluation_says_how_to_make_one(page: Page, tmp_path: Path) -> None:
    assert "python -m training evaluate" in text(gallery(page, tmp_path))
    assert "--gallery" in text(page("--url", "127.0.0.1:1", view="Worst cases"))


@pytest.mark.parametrize("content", ["{", "[]", "\udcff"])
def test_a_damaged_evaluation_is_one_sentence(page: Page, tmp_path: Path, content: str) -> None:
    (tmp_path / "metrics.json").write_bytes(content.encode(errors="surrogateescape"))
    app = gallery(page, tmp_path)
    assert not app.exception
    assert "evaluate again" in app.error[0].value


def test_a_figure_that_is_missing_is_left_out(page: Page, tmp_path: Path) -> None:
    (tmp_path / "metrics.json").write_text("{}")
    app = gallery(page, tmp_path)
    assert not app.exception
    assert not app.error


def test_an_error_shows_no_image_of_another_host(page: Page, tmp_path: Path) -> None:
    folder = tmp_path / "![x](y)"
    folder.mkdir()
    (folder / "metrics.json").write_text("{")
    app = gallery(page, folder)
    assert r"!\[x\](y)" in app.error[0].value


def test_drift_is_shown_alarms_first(page: Page, tmp_path: Path) -> None:
    (tmp_path / "drift.json").write_text(json.dumps(DRIFT))
    app = page("--url", "127.0.0.1:1", "--drift", str(tmp_path), view="Service and drift")
    assert not app.exception
    assert "drift: 1 of 2 tests alarm" in text(app)
    table = app.dataframe[0].value
    assert list(table["Statistic"]) == ["brightness", "sharpness"]
    assert list(table["p"]) == ["0.0010", "–"]


def test_reports_of_several_tasks_and_of_none(tmp_path: Path) -> None:
    assert read_reports(tmp_path / "later") == []
    for task in ("vessels", "eye_disease"):
        (tmp_path / task).mkdir()
        (tmp_path / task / "drift.json").write_text(json.dumps(DRIFT | {"task": task}))
    assert [report.task for report in read_reports(tmp_path)] == ["eye_disease", "vessels"]


@pytest.mark.parametrize("change", [{"window_images": "many"}, {"tests": 3}, {"created": "yesterday"}, {"alarm": None}])
def test_a_damaged_drift_report_says_so_and_a_strange_one_is_read(tmp_path: Path, change: dict[str, Any]) -> None:
    (tmp_path / "drift.json").write_text(json.dumps(DRIFT | change))
    if change == {"alarm": None}:
        assert not read_reports(tmp_path)[0].alarm
    else:
        with pytest.raises(ReportError, match="monitoring drift` again"):
            read_reports(tmp_path)


def test_a_report_that_is_no_json_says_so(page: Page, tmp_path: Path) -> None:
    (tmp_path / "drift.json").write_text("[")
    app = page("--url", "127.0.0.1:1", "--drift", str(tmp_path), view="Service and drift")
    assert not app.exception
    assert any("monitoring drift` again" in error.value for error in app.error)
