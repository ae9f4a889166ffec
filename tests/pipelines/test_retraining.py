"""Steps run once for what they are made from, go on after a failure, and every decision is on record."""

import json
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from rich.console import Console

from pipelines.__main__ import main
from pipelines.champion import adopt, promote
from pipelines.errors import PipelineError, RefusedError, StageError
from pipelines.retraining import retrain as retraining
from pipelines.retraining import run as running
from pipelines.retraining.decisions import FOLDER
from pipelines.retraining.records import key_of
from pipelines.retraining.retrain import Call, retrain
from pipelines.retraining.run import REFUSED, run_all, run_step
from pipelines.retraining.settings import Settings, write_settings
from pipelines.retraining.steps import STEPS
from pipelines.retraining.triggers import of_drift, of_labels, of_schedule
from tasks.checksums import write_checksums

CONSOLE = Console(quiet=True)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    data, test_set = tmp_path / "data", tmp_path / "test_set"
    for folder in (data, test_set):
        folder.mkdir()
        (folder / "picture").write_bytes(b"1")
    return Settings(task="vessels", data=data, test_set=test_set, champion=tmp_path / "build" / "model_repository")


@pytest.fixture
def run(tmp_path: Path, settings: Settings) -> Path:
    write_settings(settings, tmp_path / "run")
    return tmp_path / "run"


@pytest.fixture
def stages(monkeypatch: pytest.MonkeyPatch, run: Path, tmp_path: Path) -> dict[str, int]:
    """Doors that leave a file instead of working; the name of each step that ran → the status it ends with."""
    ran: dict[str, int] = {}
    fails: dict[str, int] = {}
    ran["fails"] = fails  # type: ignore[assignment]

    def stage(_: Console, title: str, door: str, words: list[str]) -> float:
        ran[title] = ran.get(title, 0) + 1
        if fails.get(title):
            raise StageError(f"stage {title} failed", fails[title])
        if title == "export":
            release = run / "export" / "model_repository"
            if release.is_symlink():
                release.unlink()
            release.mkdir(parents=True)
            (release / "model").write_text((run / "train" / "result").read_text())
            write_checksums(release)
        (run / title / "result").write_text(" ".join([door, *words]) + str(ran[title]))
        return 0.0

    monkeypatch.setattr(running, "run_stage", stage)
    return ran


def test_every_step_runs_once_and_not_again(run: Path, stages: dict[str, int]) -> None:
    run_all(run, CONSOLE)
    fails = stages.pop("fails")
    assert stages == {step.name: 1 for step in STEPS}
    run_all(run, CONSOLE)
    assert stages == {step.name: 2 if step.again else 1 for step in STEPS}
    assert not fails


@pytest.mark.parametrize("broken", [step.name for step in STEPS])
def test_a_failed_step_is_where_it_goes_on(run: Path, stages, broken: str) -> None:
    stages["fails"][broken] = 1
    with pytest.raises(StageError):
        run_all(run, CONSOLE)
    del stages["fails"][broken]
    run_all(run, CONSOLE)
    assert {name: count for name, count in stages.items() if name != "fails" and count != 1} == {broken: 2}


def test_new_data_is_worked_on_and_a_torn_result_is_made_again(run: Path, stages, settings: Settings) -> None:
    run_all(run, CONSOLE)
    (settings.data / "another").write_bytes(b"2")
    run_all(run, CONSOLE)
    assert stages["ingest"] == stages["train"] == 2
    (run / "evaluate" / "result").write_text("touched")
    run_all(run, CONSOLE)
    assert (stages["train"], stages["evaluate"], stages["export"]) == (2, 3, 2)


def test_a_change_of_words_concerns_the_steps_that_take_them(run: Path, stages, settings: Settings) -> None:
    run_all(run, CONSOLE)
    write_settings(settings.model_copy(update={"load_test": ("--rate", "1")}), run)
    run_all(run, CONSOLE)
    assert (stages["train"], stages["judge"], stages["gate"]) == (1, 1, 2)


def test_keys_differ_by_all_that_decides(run: Path, stages, settings: Settings) -> None:
    run_all(run, CONSOLE)
    train = next(step for step in STEPS if step.name == "train")

    def key(words: tuple[str, ...] = ()) -> str:
        changed = settings.model_copy(update={"training": words})
        return key_of(train, changed, run, train.commands(changed, run, run / "train"))

    assert key() == key()
    assert key() != key(("seed=3",))


def test_a_file_that_a_word_names_and_a_linked_folder_are_read(
    run: Path, stages, settings: Settings, tmp_path: Path
) -> None:
    slo, elsewhere = tmp_path / "slo.yaml", tmp_path / "elsewhere"
    slo.write_text("p99: 400")
    elsewhere.mkdir()
    (settings.data / "linked").symlink_to(elsewhere)
    long = settings.model_copy(update={"load_test": ("--slo", str(slo)), "why": "drift: " + "sharpness (ks), " * 100})
    write_settings(long, run)
    run_all(run, CONSOLE)
    slo.write_text("p99: 300")
    run_all(run, CONSOLE)
    assert (stages["train"], stages["gate"]) == (1, 2)
    (elsewhere / "picture").write_bytes(b"2")
    run_all(run, CONSOLE)
    assert stages["ingest"] == 2


def test_the_record_names_the_step_that_refused(
    monkeypatch: pytest.MonkeyPatch, run: Path, stages, settings: Settings
) -> None:
    stages["fails"]["gate"] = RefusedError.STATUS
    with pytest.raises(RefusedError):
        retrain(settings, run, Call(), CONSOLE)
    (decision,) = _decisions(settings)
    assert decision["outcome"] == "refused"
    assert "step gate refused" in decision["why"]


def test_a_step_without_its_needs_is_one_sentence(run: Path, stages, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["step", "train", "--run", str(run)]) == 1
    assert "step train needs step ingest" in capsys.readouterr().out
    assert main(["step", "nosuch", "--run", str(run)]) == 1
    assert "they are ingest, validate" in capsys.readouterr().out
    assert main(["step", "ingest", "--run", str(run / "nowhere")]) == 1


def test_a_refusal_is_told_apart_from_a_failure(run: Path, stages) -> None:
    stages["fails"]["judge"] = RefusedError.STATUS
    with pytest.raises(RefusedError):
        run_all(run, CONSOLE)
    assert (run / REFUSED).exists()
    stages["fails"]["judge"] = 1
    with pytest.raises(StageError):
        run_step("judge", run, CONSOLE)
    assert not (run / REFUSED).exists()


def _decisions(settings: Settings) -> list[dict[str, str]]:
    return [json.loads(path.read_text()) for path in sorted((settings.champion.parent / FOLDER).iterdir())]


@pytest.mark.parametrize(
    ("ends", "outcome"),
    [
        (None, "unchanged"),
        (RefusedError("worse"), "refused"),
        (StageError("stage train failed"), "failed"),
        (KeyboardInterrupt(), "stopped"),
    ],
)
def test_whatever_comes_of_it_is_on_record(
    monkeypatch: pytest.MonkeyPatch, settings: Settings, run: Path, ends: BaseException | None, outcome: str
) -> None:
    def run_here(*_: object) -> None:
        (during,) = _decisions(settings)
        assert during["outcome"] == "running"
        if ends is not None:
            raise ends

    monkeypatch.setattr(retraining, "run_all", run_here)
    if ends is None:
        retrain(settings, run, Call(), CONSOLE)
    else:
        with pytest.raises(type(ends)):
            retrain(settings, run, Call(), CONSOLE)
    (decision,) = _decisions(settings)
    assert (decision["outcome"], decision["trigger"], decision["task"]) == (outcome, "asked", "vessels")
    assert decision["why"]


def _drift(path: Path, *alarms: bool) -> Path:
    tests = [{"statistic": f"s{number}", "method": "ks", "alarm": alarm} for number, alarm in enumerate(alarms)]
    path.write_text(json.dumps({"task": "vessels", "window_images": 60, "alarm": any(alarms), "tests": tests}))
    return path


def test_drift_is_a_reason_and_no_drift_is_recorded_too(settings: Settings, run: Path, tmp_path: Path) -> None:
    found = of_drift(_drift(tmp_path / "drift.json", False, True), "vessels", None)
    assert found.wanted
    assert found.said == "drift in 60 images: s1 (ks)"
    quiet = _drift(tmp_path / "drift.json", False, False)
    decision = retrain(settings, run, Call("drift", quiet), CONSOLE)
    assert (decision.outcome, decision.why) == ("not needed", "no drift in 60 images")
    assert _decisions(settings)[0]["outcome"] == "not needed"
    with pytest.raises(PipelineError, match="is no drift report"):
        of_drift(settings.data / "picture", "vessels", None)
    assert "of vessels" in of_drift(_drift(tmp_path / "drift.json", True), "eye_disease", None).said
    path = _drift(tmp_path / "drift.json", True)
    path.write_text(json.dumps(json.loads(path.read_text()) | {"release": "a" * 64}))
    assert of_drift(path, "vessels", "a" * 16).wanted
    assert not of_drift(path, "vessels", "b" * 16).wanted, "an alarm about the champion before"


def test_new_labels_are_a_reason_once(
    monkeypatch: pytest.MonkeyPatch, settings: Settings, run: Path, stages: dict[str, int]
) -> None:
    monkeypatch.setattr(retraining, "run_all", lambda *_: None)
    call = Call("labels")
    assert retrain(settings, run, call, CONSOLE).outcome == "unchanged"
    assert retrain(settings, run, call, CONSOLE).outcome == "not needed"
    (settings.data / "another").write_bytes(b"2")
    assert of_labels(settings.data, run / retraining.LAST_DATA).said == "the labelled data has changed"

    def while_training(*_: object) -> None:
        (settings.data / "late").write_bytes(b"3")

    monkeypatch.setattr(retraining, "run_all", while_training)
    assert retrain(settings, run, call, CONSOLE).outcome == "unchanged"
    assert of_labels(settings.data, run / retraining.LAST_DATA).wanted, "what came meanwhile is news"


def test_an_old_champion_is_a_reason(settings: Settings, tmp_path: Path) -> None:
    assert of_schedule(settings.champion, timedelta(days=30)).wanted
    release = tmp_path / "release"
    release.mkdir()
    (release / "file").write_text("1")
    write_checksums(release)
    promote(adopt(release, settings.champion), settings.champion, expected=None, why="")
    now = datetime.now(UTC)
    assert not of_schedule(settings.champion, timedelta(days=30), now + timedelta(days=29)).wanted
    assert of_schedule(settings.champion, timedelta(days=30), now + timedelta(days=31)).wanted


@pytest.mark.parametrize(
    ("content", "said"),
    [('{"task": 3}', "task"), ("[]", "the file"), ('{"tusk": "vessels"}', "Field required"), ("{", "Invalid JSON")],
)
def test_settings_that_are_not_right_are_one_sentence(
    tmp_path: Path, content: str, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "settings.json"
    path.write_text(content)
    assert main(["retrain", "--settings", str(path), "--run", str(tmp_path / "run")]) == 1
    out = capsys.readouterr().out
    assert said in out
    assert out.count("\n") == 1


def test_retrain_says_what_it_needs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["retrain", "--run", str(tmp_path)]) == 1
    assert "--data and --test-set" in capsys.readouterr().out


def test_kubeflow_yaml_is_read_back_with_the_same_arrows(tmp_path: Path) -> None:
    import yaml
    from kfp import components

    out = tmp_path / "retrain.yaml"
    assert main(["compile", "--out", str(out), "--image", "example/fovea:1", "--volume", "claim"]) == 0
    loaded = components.load_component_from_file(str(out))
    tasks = loaded.pipeline_spec.root.dag.tasks
    arrows = {name: set(task.dependent_tasks) for name, task in tasks.items()}
    assert {len(needs) for needs in arrows.values()} == {len(step.needs) for step in STEPS}
    named = {task.inputs.parameters["name"].runtime_value.constant.string_value: key for key, task in tasks.items()}
    assert {step.name: arrows[named[step.name]] for step in STEPS} == {
        step.name: {named[need] for need in step.needs} for step in STEPS
    }
    documents = list(yaml.safe_load_all(out.read_text()))
    images = {each["container"]["image"] for each in documents[0]["deploymentSpec"]["executors"].values()}
    assert images == {"example/fovea:1"}
    assert "claim" in json.dumps(documents[1])
    assert sys.executable not in out.read_text()
