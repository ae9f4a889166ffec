"""A run that is stopped anywhere and continued ends with the very weights of one that was left alone."""

import json
import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from tiny import tiny_words

from training.__main__ import main
from training.module import TrainingModule
from training.weights import load_card

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("unplotted")]
LONG = ("trainer.epochs=3",)
VARIANTS = {
    "plain": (),
    "everything": (
        "trainer.ema_decay=0.8",
        "trainer.accumulate=2",
        "trainer.clip_norm=0.5",
        "trainer.precision=bf16-mixed",
        "trainer.workers=1",
        "trainer.patience=5",
        "network.symmetry=4",
        "network.dropout=0.1",
    ),
}


def signal_in(
    monkeypatch: pytest.MonkeyPatch, epoch: int, batch: int, number: int = signal.SIGINT, times: int = 1
) -> None:
    """Send this process a signal while it works on one batch."""
    step: Callable[..., Any] = TrainingModule.training_step

    def interrupted(module: TrainingModule, data: Any, index: int) -> Any:
        if (module.current_epoch, index) == (epoch, batch):
            for _ in range(times):
                os.kill(os.getpid(), number)
        return step(module, data, index)

    monkeypatch.setattr(TrainingModule, "training_step", interrupted)


def sha(folder: Path) -> str:
    return load_card(folder).weights_sha256


@pytest.mark.parametrize("variant", VARIANTS)
def test_resumed_weights_are_those_of_an_uninterrupted_run(
    tiny_vessels: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, variant: str
) -> None:
    alone, stopped = tmp_path / "alone", tmp_path / "stopped"
    more = LONG + VARIANTS[variant]
    assert main(tiny_words(tiny_vessels, alone, *more)) == 0
    with monkeypatch.context() as patched:
        signal_in(patched, epoch=1, batch=0)
        assert main(tiny_words(tiny_vessels, stopped, *more)) == 130
    assert (stopped / "interrupted.ckpt").is_file()
    assert main(tiny_words(tiny_vessels, stopped, *more, f"resume={stopped}")) == 0
    assert sha(stopped) == sha(alone)
    assert not (stopped / "interrupted.ckpt").exists()
    epochs = [point["epoch"] for point in json.loads((stopped / "history.json").read_text())]
    assert epochs == [1, 2, 3]


def test_a_signal_in_an_epochs_last_step_waits_for_the_next_one(
    tiny_vessels: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    alone, stopped = tmp_path / "alone", tmp_path / "stopped"
    assert main(tiny_words(tiny_vessels, alone)) == 0
    with monkeypatch.context() as patched:
        signal_in(patched, epoch=0, batch=3, number=signal.SIGTERM)
        assert main(tiny_words(tiny_vessels, stopped)) == 143
    assert main(tiny_words(tiny_vessels, stopped, f"resume={stopped}")) == 0
    assert sha(stopped) == sha(alone)


def test_a_signal_in_the_last_step_of_all_leaves_only_the_judging(
    tiny_vessels: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    alone, stopped = tmp_path / "alone", tmp_path / "stopped"
    assert main(tiny_words(tiny_vessels, alone, "trainer.epochs=1")) == 0
    with monkeypatch.context() as patched:
        signal_in(patched, epoch=0, batch=3)
        assert main(tiny_words(tiny_vessels, stopped, "trainer.epochs=1")) == 130
    assert not (stopped / "model.json").exists()
    assert main(tiny_words(tiny_vessels, stopped, "trainer.epochs=1", f"resume={stopped}")) == 0
    assert sha(stopped) == sha(alone)


def test_a_killed_run_goes_on_from_its_last_epoch(
    tiny_vessels: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second signal stops at once, as a kill would: what the last epoch wrote is what counts."""
    alone, stopped = tmp_path / "alone", tmp_path / "stopped"
    assert main(tiny_words(tiny_vessels, alone, "trainer.ema_decay=0.8")) == 0
    with monkeypatch.context() as patched:
        signal_in(patched, epoch=1, batch=1, times=2)
        assert main(tiny_words(tiny_vessels, stopped, "trainer.ema_decay=0.8")) == 130
    assert not (stopped / "interrupted.ckpt").exists()
    assert main(tiny_words(tiny_vessels, stopped, "trainer.ema_decay=0.8", f"resume={stopped}")) == 0
    assert sha(stopped) == sha(alone)


def test_stopped_before_anything_was_learnt(
    tiny_vessels: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    signal_in(monkeypatch, epoch=0, batch=0, times=2)
    assert main(tiny_words(tiny_vessels, tmp_path / "out")) == 130
    assert "nothing had been learnt yet" in capsys.readouterr().out


def test_a_lower_rate_takes_effect_when_resumed(tiny_vessels: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert main(tiny_words(tiny_vessels, out, "trainer.epochs=1", "trainer.ema_decay=0")) == 0
    more = (
        "trainer.epochs=2",
        "trainer.ema_decay=0",
        "optimiser.learning_rate=1e-8",
        "optimiser.weight_decay=0",
        f"resume={out}",
    )
    before = torch.load(out / "checkpoint.ckpt", weights_only=True)["state_dict"]
    assert main(tiny_words(tiny_vessels, out, *more)) == 0
    after = torch.load(out / "checkpoint.ckpt", weights_only=True)["state_dict"]
    weights = [name for name in before if name.endswith("weight")]
    assert all(torch.allclose(before[name], after[name], atol=1e-6) for name in weights)
    assert not all(torch.equal(before[name], after[name]) for name in weights)


STEERED = (*LONG, "trainer.patience=5", "optimiser.learning_rate=1.0")


def test_best_weights_are_those_of_the_run_that_goes_on(tiny_vessels: Path, tmp_path: Path) -> None:
    """Continued in another folder, where a run on other people left its own best weights."""
    source, other = tmp_path / "source", tmp_path / "other"
    assert main(tiny_words(tiny_vessels, source, *STEERED)) == 0
    assert main(tiny_words(tiny_vessels, other, *STEERED, "data.held_out_fold=0")) == 0
    assert sha(other) != sha(source)
    assert main(tiny_words(tiny_vessels, other, *STEERED, f"resume={source}")) == 0
    assert sha(other) == sha(source)
    assert main(tiny_words(tiny_vessels, tmp_path / "empty", *STEERED, f"resume={source}")) == 0
    assert sha(tmp_path / "empty") == sha(source)


REFUSED = {
    "trained on other pictures": ("data.held_out_fold=0",),
    "is in epoch 2 already": ("trainer.epochs=1",),
    "written with trainer.batch_size 2": ("trainer.batch_size=4",),
}


def test_refused_resume_leaves_the_model_as_it_was(
    tiny_vessels: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(tiny_words(tiny_vessels, tmp_path)) == 0
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    for complaint, changed in REFUSED.items():
        assert main(tiny_words(tiny_vessels, tmp_path, *changed, f"resume={tmp_path}")) == 2
        assert complaint in capsys.readouterr().out
        assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before, complaint
