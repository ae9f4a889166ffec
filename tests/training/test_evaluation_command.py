"""`python -m training evaluate` on real folders and real model files: JSON, pictures, and who is left out."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from rich.console import Console

from tasks import get_task
from training.config import NetworkConfig
from training.evaluation.command import run_evaluate
from training.evaluation.normalising import colour_and_framing
from training.networks import build_network
from training.sources import read_samples
from training.weights import ModelCard, save_card, save_weights

pytestmark = pytest.mark.slow
CONSOLE = Console(stderr=True, soft_wrap=True)


def save_model(folder: Path, task_name: str, trained_on: list[str]) -> Path:
    folder.mkdir(exist_ok=True)
    config = NetworkConfig(name="resunet" if task_name == "eye_disease" else "unet", widths=[4, 8])
    card = ModelCard(
        task=task_name,
        network=vars(config),
        calibration={"temperature": 1.0, "threshold": 0.5},
        weights_sha256=save_weights(build_network(config, get_task(task_name)), folder),
        data_digest="",
        trained_on=[digest[:16] for digest in trained_on],
        subjects={},
        metrics={},
        intervals={},
        parameters=1,
        gflops=1.0,
        run_id="",
        code_revision="",
        versions={},
    )
    save_card(card, folder)
    return folder


@pytest.fixture(scope="module")
def eyes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two pictures of two patients in each class."""
    root = tmp_path_factory.mktemp("eyes")
    generator = np.random.default_rng(0)
    rows, columns = np.mgrid[:96, :96] - 47.5
    inside = (rows**2 + columns**2 < 44**2)[:, :, None]
    for label, info in enumerate(get_task("eye_disease").classes):
        (root / info.name).mkdir()
        for patient in range(2):
            colour = generator.integers(60, 200, 3) + generator.integers(-20, 20, (96, 96, 3))
            picture = np.where(inside, colour, 0).astype(np.uint8)
            Image.fromarray(picture).save(root / info.name / f"{10 * label + patient}_left.png")
    return root


def evaluate(capsys: pytest.CaptureFixture[str], *words: str) -> dict:
    status = run_evaluate(list(words), CONSOLE)
    captured = capsys.readouterr()
    assert status == 0, captured.err
    return json.loads(captured.out)


def test_vessels_report_and_pictures(synthetic: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    samples = read_samples(synthetic, get_task("vessels"))
    # One eye of each of four people was trained on; the other eye is no stranger.
    model = save_model(tmp_path / "model", "vessels", [sample.digest for sample in samples[:8:2]])
    out = tmp_path / "out"
    out.mkdir()
    (out / "holiday.jpg").write_bytes(b"somebody's own picture")
    words = ["task=vessels", f"root={synthetic}", f"model={model}", f"out={out}", "resamples=50"]
    report = evaluate(capsys, *words)
    assert report["data"]["pictures"] == 4
    assert report["data"]["left_out_as_trained_on"] == 8
    assert report["command"] == "python -m training evaluate " + " ".join(words)
    for name in ("dice", "iou", "roc_auc", "pr_auc", "mcc", "full_frame_dice", "per_image_dice"):
        low, high = report["intervals_95"][name]
        assert low <= report["metrics"][name] <= high
    written = json.loads((out / "metrics.json").read_text())
    assert [row["subject"] for row in written["per_image"]] == [sample.subject for sample in samples[8:]]
    assert {key: written[key] for key in report} == report
    drawn = {path.name for path in out.iterdir()} - {"metrics.json", "holiday.jpg"}
    assert (out / "holiday.jpg").is_file()
    curves = {"reliability.png", "confusion_matrix.png", "roc_curve.png", "precision_recall_curve.png"}
    assert drawn == curves | {"worst.jpg", "median.jpg", "best.jpg"}
    everyone = evaluate(capsys, *words, "subjects=all", "resamples=0", "tta=true")
    assert everyone["data"]["pictures"] == 12
    assert everyone["intervals_95"] == {}


def test_eye_disease_report_also_without_the_marks_of_the_source(
    eyes: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = save_model(tmp_path / "model", "eye_disease", [])
    words = ["task=eye_disease", f"root={eyes}", f"model={model}", f"out={tmp_path}/out", "resamples=20"]
    plain = evaluate(capsys, *words)
    assert np.sum(plain["confusion_matrix"]) == 8
    assert plain["metrics"]["ece"] is not None
    assert (tmp_path / "out" / "worst.jpg").is_file()
    seen = probabilities(tmp_path / "out")
    removed = evaluate(capsys, *words, "normalise=colour_and_framing")
    assert removed["data"] == plain["data"]
    assert removed["normalise"] == "colour_and_framing"
    without = probabilities(tmp_path / "out")
    assert without.keys() == seen.keys()
    assert all(without[name] != pytest.approx(seen[name], abs=1e-4) for name in seen), "other pixels, other answers"


def probabilities(out: Path) -> dict[str, float]:
    rows = json.loads((out / "metrics.json").read_text())["per_image"]
    return {row["name"]: row["probability_of_truth"] for row in rows}


def test_normalising_makes_colour_squeeze_and_size_equal() -> None:
    rows, columns = np.mgrid[:200, :200] - 99.5
    texture = 20 * np.sin(columns / 7)[:, :, None]
    disc = (rows**2 + columns**2 < 95**2)[:, :, None]
    one = np.where(disc, np.array([150, 90, 60]) + texture, 0).astype(np.uint8)
    # The same retina as another camera shows it: other colours, less contrast, squeezed.
    other = np.where(disc, np.array([90, 110, 40]) + texture / 2, 0).astype(np.uint8)[:, ::2]
    first, second = (colour_and_framing(picture, 128).astype(int) for picture in (one, other))
    assert np.abs(first - second).mean() < 6
    assert np.abs(one[::2, ::2].astype(int) - np.repeat(other, 2, axis=1)[::2, ::2]).mean() > 20


@pytest.mark.parametrize(
    ("words", "status", "sentence"),
    [
        (["task=vesels", "root=x"], 2, "there is no task"),
        (["task=vessels"], 2, "root=<data folder>"),
        (["task=vessels", "root=x", "modell=y"], 2, "modell"),
        (["task=vessels", "root=x", "tta=maybe"], 2, "maybe"),
        (["task=vessels", "root=x", "subjects=some"], 2, "unseen, all"),
        (["task=vessels", "root=x", "normalise=colour_and_framing"], 2, "would move the masks"),
        (["vessels"], 2, "is not understood"),
        (["task=vessels", "root=x", "model=/nowhere"], 1, "/nowhere"),
    ],
)
def test_wrong_call_is_one_sentence(
    words: list[str], status: int, sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_evaluate(words, CONSOLE) == status
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("error: ")
    assert sentence in " ".join(captured.err.split())


def test_nobody_left_to_judge_is_said(synthetic: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    samples = read_samples(synthetic, get_task("vessels"))
    model = save_model(tmp_path / "model", "vessels", [sample.digest for sample in samples])
    assert run_evaluate(["task=vessels", f"root={synthetic}", f"model={model}"], CONSOLE) == 1
    assert "subjects=all" in capsys.readouterr().err


def test_model_of_another_task_is_refused(synthetic: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model = save_model(tmp_path / "model", "dubai_aerial", [])
    assert run_evaluate(["task=vessels", f"root={synthetic}", f"model={model}"], CONSOLE) == 2
    assert "trained for dubai_aerial" in capsys.readouterr().err
