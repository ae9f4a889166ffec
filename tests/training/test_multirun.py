"""Comma lists become runs of their own; one that fails does not take the others along."""

from pathlib import Path

import pytest
from tiny import tiny_words

from training.__main__ import main
from training.errors import ConfigError
from training.experiments.multirun import split_words
from training.weights import load_card


def test_words_are_split_by_hydras_sweeper() -> None:
    assert split_words(["seed=1,2", "out=x"]) == [["seed=1", "out=x"], ["seed=2", "out=x"]]
    assert len(split_words(["seed=1,2", "trainer.epochs=range(1,4)"])) == 6
    assert split_words(["network.widths=[4,8],[8,8]"]) == [["network.widths=[4,8]"], ["network.widths=[8,8]"]]
    with pytest.raises(ConfigError):
        split_words(["seed=[1,"])


@pytest.mark.slow
def test_every_combination_has_its_own_folder(
    tiny_vessels: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    small = ("trainer.epochs=1", "trainer.crops_per_epoch=4")
    assert main(["--multirun", *tiny_words(tiny_vessels, tmp_path, *small), "seed=1,2"]) == 0
    folders = sorted((tmp_path / "multirun").iterdir())
    assert [load_card(folder).config["seed"] for folder in folders] == [1, 2]
    said = capsys.readouterr().out
    assert all(word in said for word in ("seed=1", "seed=2", "dice"))


@pytest.mark.slow
def test_a_failing_run_leaves_the_others(
    tiny_vessels: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = tiny_words(tiny_vessels, tmp_path, "trainer.epochs=1", "schedule.warmup_share=0")
    assert main([*words, "optimiser.learning_rate=1e30,1e-3", "-m"]) == 1
    first, second = sorted((tmp_path / "multirun").iterdir())
    assert not (first / "model.json").exists()
    assert (second / "model.json").exists()
    assert "failed" in capsys.readouterr().out


def test_all_runs_are_checked_before_the_first(
    tiny_vessels: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["multirun", *tiny_words(tiny_vessels, tmp_path), "trainer.epochs=1,0"]) == 2
    assert "trainer.epochs is 0" in capsys.readouterr().out
    assert not (tmp_path / "multirun").exists()
