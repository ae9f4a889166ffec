"""The whole page over an endpoint of this process: what it shows, and every mishap as one sentence."""

import io
import json
import time
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from kserve import serve
from PIL import Image
from streamlit.testing.v1 import AppTest
from two_tasks import TwoTasks, png, text

Page = Callable[..., AppTest]


def upload(app: AppTest, picture: np.ndarray, name: str = "eye.png") -> AppTest:
    app.file_uploader(key="picture").set_value((name, png(picture), "image/png"))
    return app.run()


def one_error(app: AppTest) -> str:
    """The page's only error, a sentence; nothing was raised."""
    assert not app.exception
    assert len(app.error) == 1
    said = str(app.error[0].value)
    assert said.endswith(".")
    assert "Traceback" not in said
    return said


def run_until_answered(app: AppTest, timeout_s: float) -> None:
    """Draw the page again until it has no error: gRPC waits before it connects anew."""
    deadline_s = time.monotonic() + timeout_s
    while app.run().error and time.monotonic() < deadline_s:
        time.sleep(0.2)
    assert not app.error


def test_a_segmentation_shows_where_how_sure_how_long_and_what_from(
    page: Page, address: str, picture: np.ndarray
) -> None:
    app = upload(page("--url", address), picture)
    assert not app.exception
    assert not app.error
    said = text(app)
    for expected in ("Vessel covers 25.0%", "eye.png", "40 × 20 px", "background", "75.0%", "Decode and fit", "0.1 ms"):
        assert expected in said
    for expected in ("vessels, version 1", "onnxruntime, model.onnx", "c0ffeec0ffee", "abc123", "0.786"):
        assert expected in said
    assert len(app.get("image")) == 2


def test_a_classification_shows_its_label_and_escapes_what_the_server_says(
    page: Page, address: str, picture: np.ndarray
) -> None:
    app = upload(page("--url", address, task="eye_disease"), picture)
    assert not app.exception
    said = text(app)
    assert "75.0%" in said
    assert "&lt;b&gt;normal&lt;/b&gt;" in said
    assert "<b>normal</b>" not in said
    assert "does not say what it was made from" in said


def test_moving_the_slider_asks_no_server(page: Page, server: TwoTasks, address: str, picture: np.ndarray) -> None:
    app = upload(page("--url", address), picture)
    assert server.attempts["ModelInfer"] == 1
    app.slider(key="opacity").set_value(0.2).run()
    assert server.attempts["ModelInfer"] == 1
    next(button for button in app.button if button.label == "Ask again").click().run()
    assert server.attempts["ModelInfer"] == 2


def test_the_page_says_what_becomes_of_pictures(page: Page, address: str) -> None:
    assert "Nothing is written to disk" in text(page("--url", address))


def test_samples_can_be_chosen(page: Page, address: str, picture: np.ndarray, tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(png(picture))
    (tmp_path / "notes.txt").write_text("no picture")
    app = page("--url", address, "--samples", str(tmp_path))
    app.segmented_control(key="source").set_value("Sample").run()
    assert app.selectbox(key="sample").options == ["a.png"]
    assert "Vessel covers 25.0%" in text(app)


@pytest.mark.parametrize("view", ["Picture", "Compare", "Batch"])
def test_a_server_that_is_away_is_one_sentence(page: Page, view: str) -> None:
    app = page("--url", "127.0.0.1:1", "--url", "other=127.0.0.1:2", view=view)
    assert "127.0.0.1:1" in one_error(app)
    assert "does not answer" in text(app)


def test_a_server_that_goes_away_and_comes_back(page: Page, picture: np.ndarray) -> None:
    with serve(TwoTasks()) as address:
        app = page("--url", address)
    upload(app, picture)
    assert address in one_error(app)
    with serve(TwoTasks(), int(address.rpartition(":")[2])):
        run_until_answered(app, timeout_s=10)
        assert "Vessel covers 25.0%" in text(app)


def test_bytes_that_are_no_picture_are_one_sentence(page: Page, address: str) -> None:
    app = page("--url", address)
    app.file_uploader(key="picture").set_value(("eye.png", b"not a picture", "image/png"))
    assert "not a readable image" in one_error(app.run())


def test_a_task_that_is_withdrawn_is_one_sentence(
    page: Page, server: TwoTasks, address: str, picture: np.ndarray
) -> None:
    server.tasks.clear()
    app = page("--url", address)
    assert "no task is ready" in one_error(app)


def test_a_description_that_cannot_be_read_is_one_sentence(page: Page, server: TwoTasks, address: str) -> None:
    server.tasks["vessels"]["classes"] = "{"
    assert "cannot be read" in one_error(page("--url", address))


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--nonsense"], "unrecognized arguments: --nonsense"),
        (["--url", "no port"], "--url no port"),
        (["--url", "a=h:1", "--url", "a=h:2"], "'a' is there already"),
        (["--samples", "/no/such/folder"], "there is no such folder"),
        (["--timeout-s", "0"], "give seconds above 0"),
    ],
)
def test_a_command_line_that_cannot_be_followed_is_one_sentence(page: Page, words: list[str], said: str) -> None:
    app = page(*words)
    assert not app.exception
    assert said in app.error[0].value


def test_two_endpoints_side_by_side(page: Page, server: TwoTasks, address: str, picture: np.ndarray) -> None:
    blind = TwoTasks()
    blind.threshold = 255
    with serve(blind) as other:
        app = upload(page("--url", f"one={address}", "--url", f"two={other}", view="Compare"), picture)
    assert not app.exception
    said = text(app)
    for expected in ("75.000% of the pixels agree", "vessel 0.0000", "Latency, one", "Provenance, two"):
        assert expected in said
    assert len(app.get("image")) == 3


def test_an_endpoint_without_the_task_cannot_be_compared(page: Page, address: str, picture: np.ndarray) -> None:
    poor = TwoTasks()
    del poor.tasks["vessels"]
    with serve(poor) as other:
        app = upload(page("--url", f"one={address}", "--url", f"two={other}", view="Compare"), picture)
    assert one_error(app) == "two does not serve vessels; it serves eye_disease."


def test_a_classification_is_compared(page: Page, address: str, picture: np.ndarray) -> None:
    with serve(TwoTasks()) as other:
        words = ("--url", f"one={address}", "--url", f"two={other}")
        app = upload(page(*words, view="Compare", task="eye_disease"), picture)
    assert not app.exception
    assert "Both say" in text(app)


def test_a_batch_is_asked_for_and_taken_away(page: Page, address: str, picture: np.ndarray) -> None:
    app = page("--url", address, view="Batch")
    good, bad = ("a.png", png(picture), "image/png"), ("b.png", b"nonsense", "image/png")
    app.file_uploader(key="batch_pictures").set_value([good, bad, good]).run()
    app.button(key="run_batch").click().run()
    assert not app.exception
    assert "**2 answered**, **1 failed**" in text(app)
    finished = app.session_state["batch"]
    with zipfile.ZipFile(io.BytesIO(finished.packed)) as packed:
        names = packed.namelist()
        mask = np.asarray(Image.open(packed.open("masks/a_png_mask.png")))
        table = packed.read("results.csv").decode()
    assert sorted(names) == [
        "masks/2_a_png_mask.png",
        "masks/2_a_png_probability.png",
        "masks/a_png_mask.png",
        "masks/a_png_probability.png",
        "results.csv",
    ]
    np.testing.assert_array_equal(mask, np.where(picture[..., 0] > 127, 255, 0))
    assert table.splitlines()[0] == "picture,status,elapsed_ms,label,background,vessel,error"
    assert "b.png,failed" in table


def test_the_service_is_looked_at(page: Page, server: TwoTasks, address: str, picture: np.ndarray) -> None:
    server.attempts["ModelInfer"] = 8
    app = page("--url", address, view="Service and drift")
    assert not app.exception
    assert {metric.label: metric.value for metric in app.metric} == {
        "Models ready": "4 of 5",
        "Requests a second": "–",
        "Round trip": app.metric[2].value,
        "Failed, in all": "3",
    }
    table = app.dataframe[0].value.set_index("Model")
    assert table.loc["vessels", "Requests"] == 8
    assert table.loc["vessels", "In all"] == pytest.approx(4.5)
    assert table.loc["broken", "State"] == "unavailable no such file"
    server.serving = False
    assert "not ready" in text(app.run())


def test_a_service_that_is_away_leaves_the_drift_report(page: Page, tmp_path: Path) -> None:
    (tmp_path / "drift.json").write_text(json.dumps({"task": "vessels", "alarm": False, "tests": []}))
    app = page("--url", "127.0.0.1:1", "--drift", str(tmp_path), view="Service and drift")
    assert "127.0.0.1:1" in one_error(app)
    assert "no drift" in text(app)
