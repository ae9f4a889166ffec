"""Runs through the front door: repeatable, interruptible, tracked."""

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from doors import OFFLINE, ROOT, Stages, door

from tasks.held_out import read_held_out
from training.__main__ import main
from training.errors import WeightsError
from training.weights import load_card, load_network

pytestmark = pytest.mark.slow


def words(data: Path, out: Path, *more: str) -> list[str]:
    tracking = [f"tracking.uri=sqlite:///{out.parent}/mlflow.db", f"tracking.artifacts={out.parent}/artifacts"]
    return ["training", f"data.root={data}", f"out={out}", "trainer=smoke", *tracking, *more]


def test_run_leaves_everything_that_later_stages_need(stages: Stages) -> None:
    card = load_card(stages.model)
    assert set(card.metrics) == {"dice", "roc_auc", "accuracy", "sensitivity", "specificity"}
    assert card.metrics["roc_auc"] > 0.75, "even seconds of training must find something"
    assert card.mlflow_run
    assert not set(card.subjects["held_out"]) & set(card.subjects["train"])
    assert len(read_held_out(stages.model)) == len(
        json.loads((stages.model / "evaluation.json").read_text())["per_image"]
    )
    assert len(json.loads((stages.model / "history.json").read_text())) == card.config["trainer"]["epochs"]
    assert (stages.model / "checkpoint.ckpt").is_file()


def test_run_is_tracked(stages: Stages) -> None:
    import mlflow

    client = mlflow.MlflowClient(f"sqlite:///{stages.model.parent}/mlflow.db")
    card = load_card(stages.model)
    run = client.get_run(card.mlflow_run)
    assert run.info.status == "FINISHED"
    assert run.data.metrics["held_out_dice"] == pytest.approx(card.metrics["dice"])
    assert run.data.params["trainer/epochs"] == str(card.config["trainer"]["epochs"])
    assert len(client.get_metric_history(card.mlflow_run, "val_dice")) == card.config["trainer"]["epochs"]
    files = {item.path for item in client.list_artifacts(card.mlflow_run)}
    assert {"model.json", "model.safetensors"} <= files


def test_equal_seeds_give_equal_weights(synthetic: Path, tmp_path: Path) -> None:
    for name in ("one", "two"):
        result = door(*words(synthetic, tmp_path / name, "trainer.epochs=1", "trainer.crops_per_epoch=16"))
        assert result.returncode == 0, result.stdout + result.stderr
    assert load_card(tmp_path / "one").weights_sha256 == load_card(tmp_path / "two").weights_sha256


def stop_after_two_epochs(call: list[str], number: signal.Signals) -> tuple[int, str]:
    command = [sys.executable, "-m", *call]
    run = subprocess.Popen(command, cwd=ROOT, env=OFFLINE, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    assert run.stdout is not None
    seen = []
    for line in run.stdout:
        seen.append(line)
        if line.startswith("epoch 2/"):
            break
    time.sleep(0.5)
    run.send_signal(number)
    return run.wait(60), "".join(seen) + run.stdout.read()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signal_leaves_a_checkpoint_that_resume_continues(
    synthetic: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], number: signal.Signals
) -> None:
    out = tmp_path / "model"
    status, said = stop_after_two_epochs(words(synthetic, out, "trainer.epochs=400"), number)
    assert status == 128 + number, said
    assert f"resume={out}" in said
    assert "Traceback" not in said
    assert (out / "interrupted.ckpt").is_file()
    assert not (out / "model.json").exists(), "an interrupted run must not pass for a finished one"
    epochs = sum(line.startswith("epoch ") for line in said.splitlines())
    assert main(words(synthetic, out, f"trainer.epochs={epochs + 1}", f"resume={out}")[1:]) == 0
    assert "epoch 1/" not in capsys.readouterr().out
    assert [point["epoch"] for point in json.loads((out / "history.json").read_text())] == list(range(1, epochs + 2))
    assert not (out / "interrupted.ckpt").exists()


def test_finished_run_can_be_resumed_with_more_epochs(synthetic: Path, tmp_path: Path) -> None:
    out = tmp_path / "model"
    short = ("trainer.crops_per_epoch=16",)
    assert main([*words(synthetic, out, "trainer.epochs=1", *short)[1:]]) == 0
    assert main([*words(synthetic, out, "trainer.epochs=2", f"resume={out}", *short)[1:]]) == 0
    assert [point["epoch"] for point in json.loads((out / "history.json").read_text())] == [1, 2]


@pytest.mark.parametrize(
    ("word", "sentence"),
    [
        ("data.root=/nowhere", "there is no data folder"),
        ("resume=/nowhere", "no checkpoint in /nowhere"),
        ("out=/proc/fovea", "cannot be written"),
        ("trainer.epochs=x", "trainer.epochs"),
    ],
)
def test_wrong_call_is_one_sentence(
    synthetic: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], word: str, sentence: str
) -> None:
    assert main([*words(synthetic, tmp_path / "out")[1:], word]) == 1
    assert sentence in capsys.readouterr().out


def test_changed_weights_are_refused(stages: Stages, tmp_path: Path) -> None:
    for name in ("model.json", "model.safetensors"):
        (tmp_path / name).write_bytes((stages.model / name).read_bytes())
    load_network(tmp_path)
    data = bytearray((tmp_path / "model.safetensors").read_bytes())
    data[-1] ^= 1
    (tmp_path / "model.safetensors").write_bytes(data)
    with pytest.raises(WeightsError, match="not the file"):
        load_network(tmp_path)
