"""The loop closed: other pictures → drift alarm → recorded decision → retraining → judged → promoted."""

import json
import shutil
import time
from pathlib import Path

import pytest
from doors import Stages, door
from frozen_set import from_another_camera, frozen_set
from worn import worn

from pipelines.champion import adopt, current, promote, read_journal

pytestmark = pytest.mark.slow

TASK = "vessels"
LOAD_TEST = ["--rate", "1", "--duration-s", "6", "--warm-up-s", "1"]
TRAINING = ["trainer=smoke", "trainer.epochs=8", "network.stride=2", "network.widths=[16,32,64]"]
TRAINING += ["trainer.crops_per_epoch=128", "tracking=none", "data.folds=3"]
BAR_S = 480.0


def _champion(trained: Path, folder: Path) -> Path:
    """A network that has gone bad, exported and promoted."""
    model = worn(trained, folder / "worn")
    exported = door("export", f"model={model}", f"to={folder / 'first'}", f"work={folder / 'work'}", "images=4")
    assert exported.returncode == 0, exported.stdout + exported.stderr
    link = folder / "build" / "model_repository"
    promote(adopt(folder / "first", link), link, expected=None, why="the first")
    return link


def _drawn(root: Path, subjects: int, seed: int) -> Path:
    words = ["--root", str(root), "--subjects", str(subjects), "--seed", str(seed), "--size-px", "256"]
    made = door("training", "synthesise", *words)
    assert made.returncode == 0, made.stdout + made.stderr
    return root / "images"


def _drift(champion: Path, images: Path, out: Path) -> int:
    found = door(
        "monitoring", "drift", "--task", TASK, "--release", str(champion), "--images", str(images), "--out", str(out)
    )
    assert (out / "drift.json").exists(), found.stdout + found.stderr
    return found.returncode


def _words(folder: Path, data: Path, champion: Path) -> list[str]:
    places = ["--run", folder / "run", "--data", data, "--test-set", folder / "test_set", "--champion", champion]
    words = [f"--training={word}" for word in TRAINING] + ["--ingest=folds=3"]
    words += [f"--load-test={word}" for word in LOAD_TEST]
    return [*map(str, places), *words, "--trigger", "drift", "--kubeflow", "--no-latency"]


def _retrain(words: list[str], drift: Path, *more: str) -> tuple[int, str]:
    called = door("pipelines", "retrain", *words, "--drift-report", str(drift / "drift.json"), *more)
    return called.returncode, called.stdout + called.stderr


def _decisions(champion: Path) -> list[dict[str, str]]:
    return [json.loads(path.read_text()) for path in sorted((champion.parent / "decisions").iterdir())]


def test_other_pictures_lead_to_a_better_champion(stages: Stages, tmp_path: Path) -> None:
    champion = _champion(stages.model, tmp_path)
    first = current(champion)
    usual, window = _drawn(tmp_path / "usual", 40, 3), _drawn(tmp_path / "window", 30, 5)
    referenced = door("monitoring", "reference", "--task", TASK, "--release", str(champion), "--images", str(usual))
    assert referenced.returncode == 0, referenced.stdout + referenced.stderr
    frozen_set(tmp_path)
    words = _words(tmp_path, stages.data, champion)

    assert _drift(champion, window, tmp_path / "quiet") == 0
    assert _retrain(words, tmp_path / "quiet")[0] == 0
    assert [each["outcome"] for each in _decisions(champion)] == ["not needed"]

    assert _drift(champion, from_another_camera(window, tmp_path / "camera"), tmp_path / "alarm") == 1
    began_s = time.monotonic()
    status, said = _retrain(words, tmp_path / "alarm")
    assert status == 0, said
    assert time.monotonic() - began_s < BAR_S
    decision = _decisions(champion)[-1]
    assert (decision["outcome"], decision["trigger"]) == ("promoted", "drift")
    assert "drift in" in decision["reason"]
    assert current(champion) != first
    assert decision["champion"] == current(champion).name
    assert "drift" in read_journal(champion.parent)[-1].why

    # The alarm was about the champion before, and is no reason any more.
    assert _retrain(words, tmp_path / "alarm")[0] == 0
    assert _decisions(champion)[-1]["outcome"] == "not needed"

    # A step that is broken afterwards is made again, and nothing before it.
    trained_at = (tmp_path / "run" / "train.json").read_text()
    shutil.rmtree(tmp_path / "run" / "evaluate")
    status, said = _retrain(words, tmp_path / "alarm", "--trigger", "asked")
    assert status == 0, said
    assert _decisions(champion)[-1]["outcome"] == "unchanged"
    assert (tmp_path / "run" / "train.json").read_text() == trained_at
    assert (tmp_path / "run" / "evaluate" / "metrics.json").exists()
    assert [entry.action for entry in read_journal(champion.parent)] == ["promoted", "promoted"]
