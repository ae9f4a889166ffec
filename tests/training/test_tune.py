"""A search finds values, remembers its trials, stops what falls behind, and never looks at the held-out fold."""

import json
import os
import shlex
import signal
from pathlib import Path
from typing import Any

import pytest
from tiny import tiny_words

from training import sources
from training.__main__ import main
from training.command import load_config
from training.errors import ConfigError
from training.experiments.search_space import FOLDER, Choices, Range, read_space
from training.module import TrainingModule
from training.samples import Labelled, Sample
from training.train import read_split

SPACE = """
optimiser.learning_rate: {low: 1.0e-4, high: 1.0e-2, log: true}
trainer.accumulate: {low: 1, high: 2}
loss.name: {choices: [bce_dice, focal_tversky]}
network.widths: {choices: [[4, 8], [8, 8]]}
"""


@pytest.fixture(scope="module")
def space(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("space") / "space.yaml"
    path.write_text(SPACE)
    return path


def words(root: Path, out: Path, space: Path, *more: str) -> list[str]:
    small = ("trainer.epochs=1", "trainer.crops_per_epoch=4", "trials=3", f"search={space}", "pruner=none")
    return ["tune", *tiny_words(root, out, *small, *more)]


def result(out: Path) -> dict[str, Any]:
    return dict(json.loads((out / "tuning.json").read_text()))


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.yaml")), ids=lambda path: path.stem)
def test_shipped_spaces_name_real_keys_and_possible_values(path: Path) -> None:
    from training.check import check_config

    typed = [
        [f"{key}={value}" for value in (entry.choices if isinstance(entry, Choices) else (entry.low, entry.high))]
        for key, entry in read_space(path).items()
    ]
    for turn in range(max(map(len, typed))):
        words = [values[turn % len(values)] for values in typed]
        check_config(load_config([f"task={path.stem}", "data.root=x", *words]))


def test_spaces_are_typed(space: Path) -> None:
    found = read_space(space)
    assert found["optimiser.learning_rate"] == Range(1e-4, 1e-2, log=True)
    assert found["trainer.accumulate"] == Range(1, 2)
    assert found["network.widths"] == Choices(("[4,8]", "[8,8]"))


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ("optimiser.rate: {low: 1, high: 2}", "optimiser.rate is no key"),
        ("seed: {low: 2, high: 1}", "low must be below high"),
        ("optimiser.learning_rate: {low: 0.0, high: 1.0, log: true}", "above 0 for log"),
        ("seed: {low: 1}", "needs low and high"),
        ("seed: [1, 2]", "needs low and high"),
        ("{}", "names no key"),
        ("a: [", "cannot be read"),
    ],
)
def test_wrong_spaces_are_one_sentence(tmp_path: Path, content: str, sentence: str) -> None:
    path = tmp_path / "space.yaml"
    path.write_text(content)
    with pytest.raises(ConfigError, match=sentence):
        read_space(path)
    with pytest.raises(ConfigError, match="cannot be read"):
        read_space(tmp_path / "absent.yaml")


@pytest.mark.slow
def test_search_is_recorded_and_its_best_values_can_be_typed(
    tiny_vessels: Path, tmp_path: Path, space: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    tracking = (
        "tracking=mlflow",
        f"tracking.uri=sqlite:///{tmp_path}/m.db",
        f"tracking.artifacts={tmp_path}/artifacts",
    )
    assert main(words(tiny_vessels, tmp_path, space, *tracking)) == 0
    found = result(tmp_path)
    assert [trial["state"] for trial in found["trials"]] == ["complete"] * 3
    assert found["best"]["value"] == max(trial["value"] for trial in found["trials"])
    command = shlex.split(found["command"])
    config = load_config(command[3:])
    assert config.optimiser.learning_rate == float(found["best"]["overrides"]["optimiser.learning_rate"])
    said = capsys.readouterr().out
    assert found["command"] in said
    assert "the held-out fold was not read" in said
    assert not list(tmp_path.glob("trial_*/*.ckpt"))
    import mlflow

    client = mlflow.MlflowClient(f"sqlite:///{tmp_path}/m.db")
    runs = client.search_runs([client.get_experiment_by_name("fovea").experiment_id])
    assert sum("mlflow.parentRunId" in run.data.tags for run in runs) == 3


@pytest.mark.slow
def test_held_out_pictures_are_never_read(
    tiny_vessels: Path, tmp_path: Path, space: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = load_config(tiny_words(tiny_vessels, tmp_path))
    held_out = {sample.name for sample in read_split(config)[1].held_out}
    read: list[str] = []
    plain = sources.read_samples

    def noted(*given: Any) -> list[Sample]:
        from dataclasses import replace

        def wrapped(sample: Sample) -> Sample:
            def read_it() -> Labelled:
                read.append(sample.name)
                return sample.read()

            return replace(sample, read=read_it)

        return [wrapped(sample) for sample in plain(*given)]

    monkeypatch.setattr("training.train.read_samples", noted)
    assert main(words(tiny_vessels, tmp_path, space, "trials=1")) == 0
    assert read
    assert not held_out & set(read)


@pytest.mark.slow
def test_interrupted_search_keeps_its_trials_and_goes_on(
    tiny_vessels: Path, tmp_path: Path, space: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    step = TrainingModule.training_step

    def interrupted(module: TrainingModule, data: Any, index: int) -> Any:
        if (tmp_path / "trial_1").exists():
            os.kill(os.getpid(), signal.SIGINT)
        return step(module, data, index)

    with monkeypatch.context() as patched:
        patched.setattr(TrainingModule, "training_step", interrupted)
        assert main(words(tiny_vessels, tmp_path, space)) == 130
    assert "1 trials are kept" in capsys.readouterr().out
    assert main(words(tiny_vessels, tmp_path, space)) == 0
    found = result(tmp_path)["trials"]
    assert [trial["state"] for trial in found] == ["complete", "fail", "complete", "complete"]
    assert found[1]["typed"] == found[2]["typed"], "what was interrupted is tried again and is not counted"
    assert found[0]["typed"] not in (found[2]["typed"], found[3]["typed"]), "a continued search must not begin anew"
    assert main(words(tiny_vessels, tmp_path, space, "seed=9")) == 2
    assert "begun with other data, keys or values" in capsys.readouterr().out


@pytest.mark.slow
def test_what_falls_behind_is_stopped(tiny_vessels: Path, tmp_path: Path) -> None:
    """After good trials, one whose rate is so low that it learns nothing is given up before its last epoch."""
    import optuna
    from rich.console import Console

    from tasks import get_task
    from training.experiments.tuning import _StopWhatFallsBehind
    from training.fitting import fit
    from training.tracking import NoRun

    study = optuna.create_study(direction="maximize", pruner=optuna.pruners.MedianPruner(1, 0))
    for _ in range(2):
        trial = study.ask()
        for epoch in range(3):
            trial.report(0.99, epoch)
        study.tell(trial, 0.99)
    config = load_config(tiny_words(tiny_vessels, tmp_path, "trainer.epochs=3"))
    _, split = read_split(config)
    stop = _StopWhatFallsBehind(study.ask(), "val_dice")
    with pytest.raises(optuna.TrialPruned):
        fit(config, get_task("vessels"), split, tmp_path, NoRun(), Console(quiet=True), [stop])
    assert len(study.trials[2].intermediate_values) == 1


@pytest.mark.slow
def test_a_diverging_trial_does_not_end_the_search(tiny_vessels: Path, tmp_path: Path) -> None:
    space = tmp_path / "space.yaml"
    space.write_text("optimiser.learning_rate: {choices: [1.0e+30, 1.0e-3]}\n")
    assert main(words(tiny_vessels, tmp_path, space, "trials=6", "schedule.warmup_share=0")) == 0
    states = [trial["state"] for trial in result(tmp_path)["trials"]]
    assert {"complete", "fail"} == set(states)
    failed = next(trial for trial in result(tmp_path)["trials"] if trial["state"] == "fail")
    assert "the loss became" in failed["error"]


@pytest.mark.parametrize(
    ("word", "sentence"),
    [
        ("data.validation_share=0", "leaves nothing to judge trials by"),
        ("trainer.devices=2", "trainer.devices=1"),
        ("resume=x", "leave resume= out"),
        ("trials=0", "trials=0 must be at least 1"),
        ("trials=many", "trials"),
        ("timeout_s=-1", "timeout_s=-1"),
        ("pruner=axe", "pruner=axe must be one of"),
        ("search=/nowhere.yaml", "search space /nowhere.yaml cannot be read"),
    ],
)
def test_wrong_calls_are_one_sentence(
    tiny_vessels: Path, tmp_path: Path, space: Path, capsys: pytest.CaptureFixture[str], word: str, sentence: str
) -> None:
    assert main(words(tiny_vessels, tmp_path, space, word)) == 2
    assert sentence in capsys.readouterr().out
