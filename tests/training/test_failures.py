"""What a machine or a call does wrong ends a run with one sentence, a status, and what was learnt so far."""

import multiprocessing
import os
import resource
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from doors import OFFLINE, ROOT
from PIL import Image
from tiny import tiny_words

from training import train as training
from training.__main__ import main
from training.module import TrainingModule
from training.weights import load_card

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("unplotted")]


@pytest.fixture(scope="module")
def finished(tiny_vessels: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model folder after one epoch."""
    out = tmp_path_factory.mktemp("finished")
    assert main(tiny_words(tiny_vessels, out, "trainer.epochs=1")) == 0
    return out


@contextmanager
def files_of_at_most(limit: int) -> Iterator[None]:
    """Let writing fail beyond a size, as it does on a full disk."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def said_by(words: list[str], capsys: pytest.CaptureFixture[str]) -> tuple[int, str]:
    status = main(words)
    said = capsys.readouterr()
    assert "Traceback" not in said.out + said.err
    return status, said.out


def in_step(monkeypatch: pytest.MonkeyPatch, epoch: int, act: Callable[[], None]) -> None:
    """Do something while the first batch of an epoch is worked on."""
    step: Callable[..., Any] = TrainingModule.training_step

    def acting(module: TrainingModule, data: Any, index: int) -> Any:
        if (module.current_epoch, index) == (epoch, 0):
            act()
        return step(module, data, index)

    monkeypatch.setattr(TrainingModule, "training_step", acting)


def test_loss_that_is_no_number(tiny_vessels: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = tiny_words(tiny_vessels, tmp_path, "optimiser.learning_rate=1e30", "schedule.warmup_share=0")
    status, said = said_by(words, capsys)
    assert status == 1
    assert "the loss became" in said
    assert "nothing was kept" in said
    assert not (tmp_path / "model.json").exists()


def test_diverging_later_keeps_the_last_good_epoch(
    finished: Path, tiny_vessels: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    checkpoint = tmp_path / "checkpoint.ckpt"
    checkpoint.write_bytes((finished / "checkpoint.ckpt").read_bytes())
    words = tiny_words(tiny_vessels, tmp_path, f"resume={tmp_path}")
    status, said = said_by([*words, "optimiser.learning_rate=1e30"], capsys)
    assert (status, "the loss became" in said) == (1, True), said
    assert checkpoint.read_bytes() == (finished / "checkpoint.ckpt").read_bytes()
    assert not (tmp_path / "interrupted.ckpt").exists(), "spoilt weights must not be what resume finds"
    assert main(words) == 0


def test_killed_loader_process(
    tiny_vessels: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def kill() -> None:
        worker = multiprocessing.active_children()[0]
        worker.kill()
        worker.join()
        time.sleep(0.5)

    in_step(monkeypatch, 1, kill)
    words = tiny_words(tiny_vessels, tmp_path, "trainer.workers=1", "trainer.crops_per_epoch=32")
    status, said = said_by(words, capsys)
    assert status == 1
    assert "a process that prepares crops died" in said
    assert f"resume={tmp_path}" in said


def damaged(vessels: Path, to: Path, eye: str) -> Path:
    """A copy of the set in which one photograph ends in the middle."""
    root = Path(shutil.copytree(vessels, to))
    (photograph,) = root.rglob(f"Image_{eye}.jpg")
    photograph.write_bytes(photograph.read_bytes()[:900])
    return root


def test_damaged_held_out_picture_is_told_before_the_training(
    tiny_vessels: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = damaged(tiny_vessels, tmp_path / "set", "04L")
    status, said = said_by(tiny_words(root, tmp_path / "out"), capsys)
    assert (status, "04L cannot be used" in said) == (1, True), said
    assert "epoch" not in said


def test_damaged_picture_that_a_loader_process_finds_is_one_sentence(
    tiny_vessels: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = damaged(tiny_vessels, tmp_path / "set", "01R")
    words = tiny_words(root, tmp_path / "out", "data.memory_mb=0", "data.validation_share=0", "trainer.workers=1")
    status, said = said_by(words, capsys)
    assert status == 1
    (sentence,) = [line for line in said.splitlines() if "error" in line.lower()]
    assert sentence.startswith("error: picture")
    assert "01R cannot be used" in sentence
    assert sentence.endswith("nothing was kept")


def test_full_disk_while_a_checkpoint_is_written(
    tiny_vessels: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    limit = files_of_at_most(30_000)
    in_step(monkeypatch, 1, limit.__enter__)
    status, said = said_by(tiny_words(tiny_vessels, tmp_path), capsys)
    limit.__exit__(None, None, None)
    assert status == 1
    assert "could not be written" in said
    assert f"resume={tmp_path}" in said
    monkeypatch.undo()
    assert main(tiny_words(tiny_vessels, tmp_path, f"resume={tmp_path}")) == 0, "the earlier checkpoint is whole"


def test_full_disk_while_weights_are_written(
    tiny_vessels: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    save = training.save_weights

    def on_a_full_disk(*given: Any) -> str:
        with files_of_at_most(5_000):
            return save(*given)

    monkeypatch.setattr(training, "save_weights", on_a_full_disk)
    words = tiny_words(tiny_vessels, tmp_path, "trainer.epochs=1")
    status, said = said_by(words, capsys)
    assert status == 1
    assert "could not be written" in said
    assert f"resume={tmp_path}" in said
    assert not (tmp_path / "model.json").exists()
    monkeypatch.undo()
    assert main([*words, f"resume={tmp_path}"]) == 0
    assert load_card(tmp_path).task == "vessels"


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "not a readable checkpoint"),
        (b"no checkpoint" * 99, "not a readable checkpoint"),
        (None, "not a readable"),
    ],
)
def test_damaged_checkpoint(
    finished: Path,
    tiny_vessels: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    content: bytes | None,
    sentence: str,
) -> None:
    whole = (finished / "checkpoint.ckpt").read_bytes()
    (tmp_path / "some.ckpt").write_bytes(whole[: len(whole) // 2] if content is None else content)
    words = tiny_words(tiny_vessels, tmp_path / "out", f"resume={tmp_path / 'some.ckpt'}")
    status, said = said_by(words, capsys)
    assert (status, sentence in said) == (2, True), said


@pytest.mark.parametrize(
    ("word", "sentence"),
    [
        ("network.widths=[8,8]", "another network"),
        ("optimiser=sgd", "optimiser.name adamw"),
        ("trainer.ema_decay=0.9", "trainer.ema_decay off"),
        ("data.held_out_fold=0", "other pictures"),
        ("trainer.accumulate=2", "trainer.accumulate 1"),
    ],
)
def test_checkpoint_that_does_not_fit(
    finished: Path, tiny_vessels: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], word: str, sentence: str
) -> None:
    status, said = said_by(tiny_words(tiny_vessels, tmp_path / "out", f"resume={finished}", word), capsys)
    assert (status, sentence in said) == (2, True), said


def test_weights_are_no_checkpoint(
    finished: Path, tiny_vessels: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    torch.save({"weights": torch.zeros(3)}, tmp_path / "weights.pt")
    status, said = said_by(tiny_words(tiny_vessels, tmp_path / "out", f"resume={tmp_path}/weights.pt"), capsys)
    assert (status, "no checkpoint of a training run" in said) == (2, True), said


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has a GPU")
def test_processor_that_is_not_there(tiny_vessels: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    status, said = said_by(tiny_words(tiny_vessels, tmp_path, "trainer.accelerator=gpu"), capsys)
    assert status == 2
    assert "this machine has 0 GPUs" in said


@pytest.fixture
def hearing_ctrl_c() -> Iterator[None]:
    """Ctrl-C as a fresh process hears it, whatever the tests before this one left."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("hearing_ctrl_c")
def test_interrupted_while_judging(
    tiny_vessels: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*_: Any, **__: Any) -> None:
        os.kill(os.getpid(), signal.SIGINT)

    monkeypatch.setattr(training, "fit_calibration", interrupt)
    status, said = said_by(tiny_words(tiny_vessels, tmp_path, "trainer.epochs=1"), capsys)
    assert status == 130
    assert f"resume={tmp_path}" in said


@pytest.mark.parametrize("delay_s", [0.4, 1.5])
def test_interrupted_during_imports_shows_no_traceback(tiny_vessels: Path, tmp_path: Path, delay_s: float) -> None:
    command = [sys.executable, "-m", "training", *tiny_words(tiny_vessels, tmp_path)]
    run = subprocess.Popen(command, cwd=ROOT, env=OFFLINE, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    time.sleep(delay_s)
    run.send_signal(signal.SIGINT)
    out, err = run.communicate(timeout=60)
    assert run.returncode == 130, err
    assert "Traceback" not in out + err


def test_text_is_no_checkpoint(tiny_vessels: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "script.sh").write_text("#!/bin/sh\necho hello\n")
    status, said = said_by(tiny_words(tiny_vessels, tmp_path / "out", f"resume={tmp_path}/script.sh"), capsys)
    assert (status, "is not a readable checkpoint" in said) == (2, True)


def test_pictures_without_a_label_teach_nothing(
    tiny_tiles: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = Path(shutil.copytree(tiny_tiles, tmp_path / "set"))
    for mask in root.rglob("masks/*.png"):
        Image.fromarray(np.full_like(np.array(Image.open(mask).convert("RGB")), 0x9B)).save(mask)
    words = tiny_words(root, tmp_path / "out", "loss=cross_entropy_dice", "data.folds=3", task="dubai_aerial")
    status, said = said_by(words, capsys)
    assert (status, "no pixel of the training pictures has a label" in said) == (1, True)
