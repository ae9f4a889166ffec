"""A finished run can be found again with everything it was made from, whoever recorded it."""

import json
import socket
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tiny import tiny_words

from tasks import TASKS, Kind
from training.__main__ import main
from training.config import TrackingConfig, TrainingConfig
from training.errors import ConfigError, TrainingError
from training.synthetic import write_dataset
from training.tracking import NoRun, start_run
from training.tracking.registry import fetch, promote
from training.weights import load_card

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def uri(tmp_path_factory: pytest.TempPathFactory) -> str:
    return f"sqlite:///{tmp_path_factory.mktemp('mlflow')}/new/mlflow.db"


def tracked(uri: str) -> tuple[str, ...]:
    folder = Path(uri.removeprefix("sqlite:///")).parent
    return "tracking=mlflow", f"tracking.uri={uri}", f"tracking.artifacts={folder}/artifacts"


@pytest.fixture(scope="module")
def model(tiny_vessels: Path, uri: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("model")
    assert main(tiny_words(tiny_vessels, out, *tracked(uri), "tracking.register=true")) == 0
    return out


def test_run_tells_what_it_was_made_from(model: Path, uri: str) -> None:
    import mlflow

    card = load_card(model)
    client = mlflow.MlflowClient(uri)
    run = client.get_run(card.run_id)
    assert run.info.status == "FINISHED"
    assert run.data.params["trainer/epochs"] == "2"
    assert run.data.params["network/widths"] == "[4, 8]"
    tags = run.data.tags
    assert (tags["seed"], tags["data_digest"], tags["task"]) == ("0", card.data_digest, "vessels")
    assert tags["code_revision"] == card.code_revision
    assert tags["version/torch"] == card.versions["torch"]
    (data,) = run.inputs.dataset_inputs
    assert card.data_digest.startswith(data.dataset.digest)


def test_run_has_curves_figures_and_pictures(model: Path, uri: str) -> None:
    import mlflow

    card = load_card(model)
    client = mlflow.MlflowClient(uri)
    metrics = client.get_run(card.run_id).data.metrics
    assert metrics["held_out_dice"] == pytest.approx(card.metrics["dice"])
    assert metrics["held_out_dice_lower"] <= metrics["held_out_dice"] <= metrics["held_out_dice_upper"]
    assert (metrics["parameters"], metrics["gflops"]) == (card.parameters, card.gflops)
    assert len(client.get_metric_history(card.run_id, "val_dice")) == 2
    files = {item.path for item in client.list_artifacts(card.run_id)}
    assert {"model.json", "model.safetensors", "history.json", "evaluation.json"} <= files
    pictures = {Path(item.path).name for item in client.list_artifacts(card.run_id, "plots")}
    assert {"confusion_matrix.png", "roc_curve.png"} <= pictures
    assert any(name.startswith("overlay_") for name in pictures)


def test_model_takes_any_batch_and_size(model: Path, uri: str, tmp_path: Path) -> None:
    import mlflow

    folder = fetch("vessels", "challenger", uri, tmp_path)
    assert load_card(folder).weights_sha256 == load_card(model).weights_sha256
    assert (folder / "held_out" / "images").is_dir(), "export compares on these"
    assert not list(folder.glob("*.ckpt"))
    loaded = mlflow.pyfunc.load_model(str(folder.parent))
    (pixels,), (answer,) = loaded.metadata.signature.inputs, loaded.metadata.signature.outputs
    assert (pixels.name, pixels.shape, answer.shape) == ("pixels", (-1, -1, -1, 3), (-1, -1, -1))
    for batch, side in ((1, 64), (2, 128)):
        found = loaded.predict({"pixels": np.zeros((batch, side, side, 3), np.uint8)})["probability"]
        assert (found.shape, found.dtype) == ((batch, side, side), np.uint8)


@pytest.mark.parametrize("kind", Kind)
def test_signatures_of_all_kinds(kind: Kind) -> None:
    from training.tracking.mlflow_model import signature

    task = next(task for task in TASKS.values() if task.kind is kind)
    told = signature(task)
    assert all(spec.shape[0] == -1 for spec in (*told.inputs, *told.outputs))
    assert len(told.outputs.inputs) == (2 if kind is Kind.SEMANTIC_SEGMENTATION else 1)


def test_promotion_refuses_what_is_worse(
    model: Path, uri: str, tiny_vessels: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from training.tracking import registry

    monkeypatch.setattr(registry, "MODELS", tmp_path / "models")
    with pytest.raises(TrainingError, match="no registered model of vessels is champion"):
        fetch("vessels", "champion", uri, tmp_path)
    assert "version 1 of vessels is the champion" in promote("vessels", uri, "dice")
    words = tiny_words(tiny_vessels, tmp_path / "other", *tracked(uri), "tracking.register=true")
    assert main([*words, "trainer.epochs=1", "seed=3"]) == 0
    cards = {"1": load_card(model), "2": load_card(tmp_path / "other")}
    worse, better = sorted(cards, key=lambda version: cards[version].metrics["roc_auc"])
    promote("vessels", uri, "roc_auc", version=better, force=True)
    with pytest.raises(ConfigError, match="promote it nevertheless with force=true"):
        promote("vessels", uri, "roc_auc", version=worse)
    champion = load_card(fetch("vessels", "champion", uri, tmp_path))
    assert champion.weights_sha256 == cards[better].weights_sha256
    assert main(["promote", "task=vessels", f"version={worse}", f"uri={uri}", "force=true"]) == 0
    champion = load_card(fetch("vessels", "champion", uri, tmp_path))
    assert champion.weights_sha256 == cards[worse].weights_sha256
    assert main(["promote", "task=eye_disease", f"uri={uri}"]) == 2


def test_promotion_refuses_other_pictures_of_subjects_by_the_same_names(
    model: Path, uri: str, tiny_vessels: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from training.tracking import registry

    monkeypatch.setattr(registry, "MODELS", tmp_path / "models")
    promote("vessels", uri, "dice", version="1", force=True)
    other = write_dataset(tmp_path / "set", subjects=4, seed=9, size_px=128)
    words = tiny_words(other, tmp_path / "other", *tracked(uri), "tracking.register=true", "trainer.epochs=1")
    assert main(words) == 0
    assert load_card(tmp_path / "other").subjects == load_card(model).subjects
    with pytest.raises(ConfigError, match="judged on different pictures"):
        promote("vessels", uri, "dice")


def test_cards_of_before_the_pictures_were_kept_are_compared_by_data_and_subjects(model: Path) -> None:
    from training.tracking.registry import _same_judges

    card = load_card(model)
    old = replace(card, judged_on=[])
    assert _same_judges(card, old)
    assert not _same_judges(card, replace(old, data_digest="0" * 64))
    assert not _same_judges(old, replace(old, subjects={"held_out": ["stranger"]}))


def test_failed_run_is_recorded_as_failed(tiny_vessels: Path, tmp_path: Path) -> None:
    import mlflow

    own = f"sqlite:///{tmp_path}/mlflow.db"
    words = tiny_words(tiny_vessels, tmp_path / "out", *tracked(own), "optimiser.learning_rate=1e30")
    assert main([*words, "schedule.warmup_share=0"]) == 1
    client = mlflow.MlflowClient(own)
    (run,) = client.search_runs([client.get_experiment_by_name("fovea").experiment_id])
    assert run.info.status == "FAILED"
    assert run.data.params["optimiser/learning_rate"] == "1e+30"


@pytest.fixture
def deaf_port() -> Iterator[int]:
    """A port at which nobody listens."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        yield int(held.getsockname()[1])


def test_unusable_recorders_are_one_sentence(
    tiny_vessels: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    deaf_port: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    (tmp_path / "file").write_text("no database")
    for place in ("sqlite:////proc/fovea/mlflow.db", f"sqlite:///{tmp_path}/file", f"http://127.0.0.1:{deaf_port}"):
        words = tiny_words(tiny_vessels, tmp_path / "out", "tracking=mlflow", f"tracking.uri={place}")
        assert main(words) == 1
        said = capsys.readouterr()
        assert f"MLflow at {place} cannot be used" in said.out
        assert "tracking=none" in said.out
        assert "Traceback" not in said.out + said.err


def test_nested_and_continued_runs(tmp_path: Path) -> None:
    import mlflow

    own = f"sqlite:///{tmp_path}/mlflow.db"
    config = TrainingConfig(tracking=TrackingConfig(uri=own, artifacts=str(tmp_path / "artifacts")))
    parent = start_run(config, "parent")
    child = start_run(config, "child", parent_id=parent.run_id)
    child.log_metrics({"good": 1.0, "undefined": float("nan")})
    child.finish(succeeded=True)
    parent.finish(succeeded=False)
    again = start_run(config, "parent", run_id=parent.run_id)
    assert again.run_id == parent.run_id
    again.finish(succeeded=True)
    client = mlflow.MlflowClient(own)
    assert client.get_run(parent.run_id).info.status == "FINISHED"
    recorded = client.get_run(child.run_id)
    assert recorded.data.tags["mlflow.parentRunId"] == parent.run_id
    assert recorded.data.metrics == {"good": 1.0}
    assert start_run(config, "parent", run_id="0" * 32).run_id not in {parent.run_id, "0" * 32}


def test_wandb_records_without_a_network(tiny_vessels: Path, tmp_path: Path) -> None:
    pytest.importorskip("wandb")
    words = tiny_words(tiny_vessels, tmp_path / "out", "tracking=wandb", f"tracking.folder={tmp_path}")
    assert main(words) == 0
    (run,) = (tmp_path / "wandb").glob("offline-run-*")
    card = load_card(tmp_path / "out")
    assert run.name.endswith(card.run_id)
    expected = {"held_out_dice", "val_dice", card.data_digest, "confusion_matrix", "crops_per_epoch"}
    # Its own service process writes, and on a busy machine after the run has ended.
    deadline_s = time.monotonic() + 60
    while missing := {word for word in expected if word.encode() not in next(run.glob("*.wandb")).read_bytes()}:
        assert time.monotonic() < deadline_s, missing
        time.sleep(0.5)
    assert json.loads((tmp_path / "out" / "model.json").read_text())["run_id"] == card.run_id


def test_missing_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "wandb", None)
    monkeypatch.delitem(sys.modules, "training.tracking.wandb_run", raising=False)
    config = TrainingConfig(tracking=TrackingConfig(name="wandb", folder=str(tmp_path)))
    with pytest.raises(TrainingError, match=r"pip install -e '\.\[wandb\]'"):
        start_run(config, "run")


def test_nothing_is_recorded_if_nothing_shall_be(tmp_path: Path) -> None:
    run = start_run(TrainingConfig(tracking=TrackingConfig(name="none", uri=f"sqlite:///{tmp_path}/x/m.db")), "run")
    assert isinstance(run, NoRun)
    assert (run.logger, run.run_id) == (False, "")
    assert not (tmp_path / "x").exists()
