"""Runs through the front door: repeatable, interruptible, tracked."""

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from doors import OFFLINE, ROOT, Stages
from safetensors.torch import load_file
from tiny import tiny_words

from tasks import get_task
from tasks.held_out import read_held_out
from training.__main__ import main
from training.errors import WeightsError
from training.weights import load_card, load_network

pytestmark = pytest.mark.slow


def test_run_leaves_everything_that_later_stages_need(stages: Stages) -> None:
    card = load_card(stages.model)
    assert {"dice", "roc_auc", "accuracy", "sensitivity", "specificity", "full_frame_dice"} <= set(card.metrics)
    assert card.metrics["roc_auc"] > 0.7, "even seconds of training must find something"
    assert card.run_id
    assert card.network["name"] == "unet"
    assert 0 < card.calibration["threshold"] < 1
    assert not set(card.subjects["held_out"]) & set(card.subjects["train"])
    assert len(read_held_out(stages.model, get_task(card.task))) == len(
        json.loads((stages.model / "evaluation.json").read_text())["per_image"]
    )
    assert len(json.loads((stages.model / "history.json").read_text())) == card.config["trainer"]["epochs"]
    assert (stages.model / "checkpoint.ckpt").is_file()


def test_equal_seeds_give_equal_weights(tiny_vessels: Path, tmp_path: Path) -> None:
    for name, seed in (("one", 0), ("two", 0), ("three", 1)):
        assert main(tiny_words(tiny_vessels, tmp_path / name, "trainer.epochs=1", f"seed={seed}")) == 0
    one, two, three = (load_card(tmp_path / name).weights_sha256 for name in ("one", "two", "three"))
    assert one == two != three


def test_a_process_that_prepares_crops_changes_nothing(tiny_vessels: Path, tmp_path: Path) -> None:
    for name, workers in (("none", 0), ("two", 2)):
        assert main(tiny_words(tiny_vessels, tmp_path / name, "trainer.epochs=1", f"trainer.workers={workers}")) == 0
    assert load_card(tmp_path / "none").weights_sha256 == load_card(tmp_path / "two").weights_sha256


@pytest.mark.parametrize(
    "words",
    [
        ("trainer.precision=bf16-mixed", "trainer.accumulate=2", "trainer.clip_norm=0.1"),
        ("network=wnet", "network.widths=[4,8]", "loss=focal_tversky"),
        ("network=resunet", "network.widths=[4,8]", "loss=bce_cldice", "optimiser=sgd", "trainer.ema_decay=0.9"),
        ("data.validation_share=0",),
        ("network.symmetry=4", "network.dropout=0.1", "trainer.precision=bf16-mixed", "trainer.ema_decay=0.9"),
    ],
    ids=lambda words: words[0],
)
def test_variants_of_a_segmentation_train(tiny_vessels: Path, tmp_path: Path, words: tuple[str, ...]) -> None:
    assert main(tiny_words(tiny_vessels, tmp_path, "trainer.epochs=1", *words)) == 0
    network, card = load_network(tmp_path)
    assert card.metrics["dice"] >= 0
    image = torch.randn(1, 3, 64, 64)
    with torch.inference_mode():
        answer, mirrored = network(image), network(image.flip(-1)).flip(-1)
    assert torch.allclose(answer, mirrored, atol=1e-5) is ("network.symmetry=4" in words)


@pytest.mark.parametrize(
    "words",
    [
        ("data.sampler=balanced", "loss.label_smoothing=0.1", "augmentation.mixup=0.4", "network.dropout=0.3"),
        ("loss.class_weights=inverse", "evaluation.tta=true"),
    ],
    ids=lambda words: words[0],
)
def test_variants_of_a_classification_train(tiny_eyes: Path, tmp_path: Path, words: tuple[str, ...]) -> None:
    small = ("trainer.epochs=1", "data.validation_share=0.2")
    assert main(tiny_words(tiny_eyes, tmp_path, *small, *words, task="eye_disease")) == 0
    assert 0 <= load_card(tmp_path).metrics["macro_f1"] <= 1


def test_land_cover_trains(tiny_tiles: Path, tmp_path: Path) -> None:
    words = ("trainer.epochs=1", "loss=cross_entropy_dice", "loss.class_weights=sqrt", "data.folds=3")
    assert main(tiny_words(tiny_tiles, tmp_path, *words, task="dubai_aerial")) == 0
    assert 0 <= load_card(tmp_path).metrics["mean_iou"] <= 1


def test_patience_ends_a_run_that_no_longer_improves(tiny_vessels: Path, tmp_path: Path) -> None:
    stuck = ("trainer.epochs=30", "trainer.crops_per_epoch=2", "trainer.patience=2", "optimiser.learning_rate=1e-8")
    assert main(tiny_words(tiny_vessels, tmp_path, *stuck)) == 0
    assert len(json.loads((tmp_path / "history.json").read_text())) < 30


def test_weights_kept_are_those_of_the_best_epoch(tiny_vessels: Path, tmp_path: Path) -> None:
    # Falling apart after the first epochs: the last weights are surely not the best ones.
    words = ("trainer.epochs=6", "trainer.crops_per_epoch=4", "trainer.patience=6", "optimiser.learning_rate=1.0")
    assert main(tiny_words(tiny_vessels, tmp_path, *words)) == 0
    scores = [row["val_dice"] for row in json.loads((tmp_path / "history.json").read_text())]
    best = torch.load(tmp_path / "best.ckpt", weights_only=True)
    assert scores[best["epoch"]] == max(scores)
    kept = load_file(tmp_path / "model.safetensors")
    assert all(torch.equal(kept[name], best["state_dict"][f"network.{name}"]) for name in kept)
    last = torch.load(tmp_path / "checkpoint.ckpt", weights_only=True)
    assert not all(torch.equal(kept[name], last["state_dict"][f"network.{name}"]) for name in kept)


def stop_after_two_epochs(words: list[str], number: signal.Signals) -> tuple[int, str]:
    command = [sys.executable, "-m", "training", *words]
    run = subprocess.Popen(command, cwd=ROOT, env=OFFLINE, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    assert run.stdout is not None
    seen = []
    for line in run.stdout:
        seen.append(line)
        if line.startswith("epoch 2/"):
            break
    run.send_signal(number)
    return run.wait(60), "".join(seen) + run.stdout.read()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signal_leaves_a_checkpoint_that_resume_continues(
    tiny_vessels: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], number: signal.Signals
) -> None:
    status, said = stop_after_two_epochs(tiny_words(tiny_vessels, tmp_path, "trainer.epochs=4000"), number)
    assert status == 128 + number, said
    assert f"resume={tmp_path}" in said
    assert "Traceback" not in said
    assert (tmp_path / "interrupted.ckpt").is_file()
    assert not (tmp_path / "model.json").exists(), "an interrupted run must not pass for a finished one"
    epochs = sum(line.startswith("epoch ") for line in said.splitlines())
    assert main(tiny_words(tiny_vessels, tmp_path, f"trainer.epochs={epochs + 1}", f"resume={tmp_path}")) == 0
    assert "epoch 1/" not in capsys.readouterr().out
    shown = [point["epoch"] for point in json.loads((tmp_path / "history.json").read_text())]
    assert shown == list(range(1, epochs + 2))
    assert not (tmp_path / "interrupted.ckpt").exists()


def test_finished_run_can_be_resumed_with_more_epochs(tiny_vessels: Path, tmp_path: Path) -> None:
    assert main(tiny_words(tiny_vessels, tmp_path, "trainer.epochs=1")) == 0
    assert main(tiny_words(tiny_vessels, tmp_path, "trainer.epochs=2", f"resume={tmp_path}")) == 0
    assert [point["epoch"] for point in json.loads((tmp_path / "history.json").read_text())] == [1, 2]


@pytest.mark.parametrize(
    ("word", "sentence", "status"),
    [
        ("data.root=/nowhere", "/nowhere", 1),
        ("resume=/nowhere", "no checkpoint in /nowhere", 2),
        ("out=/proc/fovea", "cannot be written", 1),
        ("trainer.epochs=x", "trainer.epochs", 2),
        ("data.held_out_fold=7", "data.held_out_fold=7", 1),
    ],
)
def test_wrong_call_is_one_sentence(
    tiny_vessels: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], word: str, sentence: str, status: int
) -> None:
    assert main([*tiny_words(tiny_vessels, tmp_path / "out"), word]) == status
    assert sentence in capsys.readouterr().out


@pytest.mark.parametrize("words", [[], ["--help"], ["ship"], ["ship", "model=x"], ["promote"], ["ship", "modle=x"]])
def test_calls_without_work(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(words) == (0 if words == ["--help"] else 2)
    said = capsys.readouterr().out
    assert "usage" in said or "error: " in said


def test_shipped_pair_is_the_model(stages: Stages, tmp_path: Path) -> None:
    assert main(["ship", f"model={stages.model}", f"to={tmp_path}/weights/vessels"]) == 0
    card = load_card(tmp_path / "weights" / "vessels")
    assert card.weights_sha256 == load_card(stages.model).weights_sha256
    load_network(tmp_path / "weights" / "vessels")
    text = (tmp_path / "weights" / "vessels.json").read_text()
    assert str(stages.data) not in text
    assert str(stages.model) not in text
    assert card.config["trainer"] == load_card(stages.model).config["trainer"]


def test_changed_weights_are_refused(stages: Stages, tmp_path: Path) -> None:
    for name in ("model.json", "model.safetensors"):
        (tmp_path / name).write_bytes((stages.model / name).read_bytes())
    load_network(tmp_path)
    data = bytearray((tmp_path / "model.safetensors").read_bytes())
    data[-1] ^= 1
    (tmp_path / "model.safetensors").write_bytes(data)
    with pytest.raises(WeightsError, match="not the file"):
        load_network(tmp_path)
