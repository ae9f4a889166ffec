"""What is typed and what is printed: `python -m training ingest`."""

import os
import re
from pathlib import Path

import pytest
from rich.console import Console

from tasks import TASKS
from training.command import load_config
from training.ingest import IngestConfig
from training.ingest_command import run_ingest
from training.words import only_options


def command(*words: str) -> tuple[int, str]:
    console = Console(record=True, width=200, file=open(os.devnull, "w"))  # noqa: SIM115, PTH123
    return run_ingest(list(words), console), console.export_text()


def test_command(dubai_folder: Path, tmp_path: Path) -> None:
    words = ["task=dubai_aerial", f"root={dubai_folder}", f"to={tmp_path}/a b=c.deeplake", "folds=3"]
    status, text = command(*words)
    assert status == 0, text
    assert "a b=c.deeplake@v1 written: 12 pictures from dubai_aerial" in text
    assert "0 pairs of duplicates" in text
    assert "v1 unchanged" in command(*words)[1]
    stored = ("task=dubai_aerial", f"to={tmp_path}/a b=c.deeplake", "--verify")
    status, text = command(*stored)
    assert (status, "every row is as it was written" in text) == (0, True)
    status, text = command(*stored, "tag=v1")
    assert (status, "re-hashes the newest version; leave tag= out" in text) == (2, True)


def test_no_folds_are_refused(dubai_folder: Path, tmp_path: Path) -> None:
    words = ["task=dubai_aerial", f"root={dubai_folder}", f"to={tmp_path}/set.deeplake", "folds=0"]
    assert_sentence(words, 1, "0 folds do not fit 3 subjects; give 2 to 3")
    assert not (tmp_path / "set.deeplake").exists()


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (["task=vessels"], "needs root="),
        (["task=vessels", "rot=x"], "rot"),
        (["root=x"], "task"),
        (["task=vessels", "root=x", "folds=many"], "folds"),
        (["task=vessels", "root=x", "on_duplicates=ignore"], "none of report, refuse, drop"),
        (["task=vessel", "root=x"], "the tasks are: vessels"),
        (["vessels"], "'vessels' is not understood; the keys are: task, root"),
        (["task"], "'task' is not understood"),
    ],
)
def test_wrong_calls_are_one_sentence(words: list[str], complaint: str) -> None:
    assert_sentence(words, 2, complaint)


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (["task=vessels", "root=/nowhere/at/all"], "no data folder"),
        (["task=vessels", "to=/nowhere/at/all", "--verify"], "no dataset"),
    ],
)
def test_what_cannot_be_done_is_one_sentence(words: list[str], complaint: str) -> None:
    assert_sentence(words, 1, complaint)


def assert_sentence(words: list[str], status: int, complaint: str) -> None:
    found, text = command(*words)
    assert found == status
    assert re.search(complaint, text)
    assert text.startswith("error: ")
    assert len(text.splitlines()) == 1


def test_help_and_no_words() -> None:
    assert command("--help")[0] == 0
    assert command()[0] == 2


def test_values_are_taken_as_they_stand() -> None:
    config = only_options(["task=vessels", "root=12", "tag=1.0", "source=null"], IngestConfig)
    assert (config.root, config.tag, config.source) == ("12", "1.0", None)


@pytest.mark.parametrize("task", TASKS)
def test_folds_are_those_that_training_expects(task: str) -> None:
    assert IngestConfig(task=task).fold_count == load_config([f"task={task}", "data.root=x"]).data.folds
    assert IngestConfig(task=task, folds=3).fold_count == 3
