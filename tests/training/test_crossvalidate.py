"""Every subject is judged once by a network that never saw it; what is finished is not done again."""

import json
import os
import signal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tiny import tiny_words

from training.__main__ import main
from training.experiments import crossvalidation
from training.module import TrainingModule
from training.weights import load_card

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("unplotted")]


def result(out: Path) -> dict[str, Any]:
    return dict(json.loads((out / "crossvalidation.json").read_text()))


@pytest.fixture(scope="module")
def done(tiny_eyes: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three folds of eyes, with the colour baseline, recorded."""
    out = tmp_path_factory.mktemp("folds")
    assert main(["crossvalidate", *words(tiny_eyes, out), "baseline=true"]) == 0
    return out


def words(eyes: Path, out: Path, *more: str) -> list[str]:
    tracking = ("tracking=mlflow", f"tracking.uri=sqlite:///{out}/mlflow.db", f"tracking.artifacts={out}/artifacts")
    small = ("data.folds=3", "data.validation_share=0", "trainer.epochs=1", *tracking)
    return tiny_words(eyes, out, *small, *more, task="eye_disease")


def test_every_subject_is_judged_once(done: Path) -> None:
    folds = result(done)["folds"]
    subjects = [subject for fold in folds for subject in fold["subjects"]]
    assert len(subjects) == len(set(subjects)) == 12
    for fold in folds:
        card = load_card(done / f"fold_{fold['fold']}")
        assert card.subjects["held_out"] == fold["subjects"]
        assert not set(card.subjects["train"]) & set(fold["subjects"])


def test_figures_are_pooled_and_spread(done: Path) -> None:
    document = result(done)
    accuracies = [fold["metrics"]["accuracy"] for fold in document["folds"]]
    assert document["mean"]["accuracy"] == pytest.approx(np.mean(accuracies))
    assert document["std"]["accuracy"] == pytest.approx(np.std(accuracies, ddof=1))
    pictures = [fold["pictures"] for fold in document["folds"]]
    assert document["metrics"]["accuracy"] == pytest.approx(np.average(accuracies, weights=pictures))
    lower, upper = document["intervals_95"]["accuracy"]
    assert lower <= document["metrics"]["accuracy"] <= upper
    assert document["command"].startswith("python -m training crossvalidate")


def test_baseline_is_judged_on_the_same_folds(done: Path) -> None:
    baseline = result(done)["baseline"]
    assert set(baseline["metrics"]) == set(result(done)["metrics"])
    assert "macro_f1" in baseline["intervals_95"]


def test_folds_are_nested_runs(done: Path) -> None:
    import mlflow

    client = mlflow.MlflowClient(f"sqlite:///{done}/mlflow.db")
    runs = client.search_runs([client.get_experiment_by_name("fovea").experiment_id])
    (parent,) = [run for run in runs if "mlflow.parentRunId" not in run.data.tags]
    assert len(runs) == 4
    assert {run.data.tags.get("mlflow.parentRunId") for run in runs} == {None, parent.info.run_id}
    assert parent.data.metrics["pooled_accuracy"] == pytest.approx(result(done)["metrics"]["accuracy"])


def test_folds_of_another_configuration_are_refused_and_kept(
    done: Path, tiny_eyes: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = {path: path.stat().st_mtime_ns for path in done.glob("fold_*/model.safetensors")}
    assert main(["crossvalidate", *words(tiny_eyes, done, "trainer.epochs=2")]) != 0
    assert "begun with other trainer" in capsys.readouterr().out
    assert main(["crossvalidate", *words(tiny_eyes, done, "data.folds=4")]) != 0
    assert "begun with other data, data_digest" in capsys.readouterr().out
    assert {path: path.stat().st_mtime_ns for path in before} == before
    assert main(["crossvalidate", *words(tiny_eyes, done, "evaluation.resamples=50", "trainer.threads=1")]) == 0
    assert capsys.readouterr().out.count("kept from an earlier call") == 3


def test_finished_folds_are_kept(done: Path, tiny_eyes: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = {path: path.stat().st_mtime_ns for path in done.glob("fold_*/model.safetensors")}
    expected = result(done)
    # Begun by a version that had not all of today's options: what is missing was as by default.
    started = done / "fold_0" / "started.json"
    older = json.loads(started.read_text())
    del older["network"]["symmetry"]
    started.write_text(json.dumps(older))
    assert main(["crossvalidate", *words(tiny_eyes, done)]) == 0
    assert {path: path.stat().st_mtime_ns for path in before} == before
    assert result(done)["metrics"] == expected["metrics"]
    assert capsys.readouterr().out.count("kept from an earlier call") == 3


def test_an_interrupted_fold_goes_on_where_it_was(
    done: Path, tiny_eyes: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    step = TrainingModule.training_step

    def interrupted(module: TrainingModule, data: Any, index: int) -> Any:
        if module.config.data.held_out_fold == 1 and index == 1:
            os.kill(os.getpid(), signal.SIGINT)
        return step(module, data, index)

    with monkeypatch.context() as patched:
        patched.setattr(TrainingModule, "training_step", interrupted)
        assert main(["crossvalidate", *words(tiny_eyes, tmp_path)]) == 130
    assert "1 of 3 folds are kept" in capsys.readouterr().out
    assert (tmp_path / "fold_1" / "interrupted.ckpt").is_file()
    assert main(["crossvalidate", *words(tiny_eyes, tmp_path)]) == 0
    assert result(tmp_path)["metrics"] == result(done)["metrics"], "the interruption must leave no trace"


@pytest.mark.parametrize(
    ("more", "sentence"),
    [
        (("resume=somewhere",), "leave resume= out"),
        (("baseline=perhaps",), "baseline"),
        (("data.folds=99",), "99 folds do not fit 12 subjects"),
    ],
)
def test_wrong_calls_are_one_sentence(
    tiny_eyes: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], more: tuple[str, ...], sentence: str
) -> None:
    assert main(["crossvalidate", *words(tiny_eyes, tmp_path, *more)]) in (1, 2)
    assert sentence in capsys.readouterr().out


def test_vessels_have_no_baseline(tiny_vessels: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["crossvalidate", *tiny_words(tiny_vessels, tmp_path), "baseline=true"]) == 2
    assert "vessels has no colour baseline" in capsys.readouterr().out


def test_other_settings_are_another_fold(tiny_eyes: Path, tmp_path: Path) -> None:
    from training.command import load_config

    first = load_config(words(tiny_eyes, tmp_path))
    same = load_config([*words(tiny_eyes, tmp_path), "tracking=none", f"out={tmp_path}/elsewhere"])
    other = load_config([*words(tiny_eyes, tmp_path), "seed=1"])
    assert crossvalidation._identity(first, "a") == crossvalidation._identity(same, "a")
    assert crossvalidation._identity(first, "a") != crossvalidation._identity(other, "a")
    assert crossvalidation._identity(first, "a") != crossvalidation._identity(first, "b"), "other folds"


def test_folds_of_separate_calls_are_added_up(
    tiny_eyes: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    call = ["crossvalidate", *words(tiny_eyes, tmp_path, "tracking=none")]
    assert main([*call, "only=2"]) == 0
    assert not (tmp_path / "crossvalidation.json").exists(), "two folds are missing"
    assert main([*call, "only=[0,1]"]) == 0
    capsys.readouterr()
    assert main(call) == 0
    assert capsys.readouterr().out.count("kept from an earlier call") == 3
    assert [fold["fold"] for fold in result(tmp_path)["folds"]] == [0, 1, 2]
    assert main([*call, "only=[3]"]) != 0
