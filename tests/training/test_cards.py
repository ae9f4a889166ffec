"""Model cards: every figure with its command, no picture that may not be shown, nothing about other weights."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from rich.console import Console

from tasks import get_task
from training.cards import CardError, CardOptions, run_card, write_card
from training.config import NetworkConfig
from training.networks import build_network
from training.weights import ModelCard, load_card, save_card, save_weights

SOURCES = {"vessels": "chase_db1", "eye_disease": "class_folders", "dubai_aerial": "dubai_aerial"}
METRICS = {
    "vessels": {"dice": 0.81, "roc_auc": 0.983, "full_frame_dice": 0.79},
    "eye_disease": {"macro_f1": 0.79, "f1_glaucoma": None, "ece": 0.04},
    "dubai_aerial": {"mean_iou": 0.61, "iou_road": 0.44},
}


@pytest.fixture
def model(tmp_path: Path, request: pytest.FixtureRequest) -> Path:
    """A model folder of the task that the test names."""
    name = request.param
    folder = tmp_path / "model"
    folder.mkdir()
    config = NetworkConfig(name="resunet" if name == "eye_disease" else "unet", widths=[4, 8])
    card = ModelCard(
        task=name,
        network=vars(config),
        calibration={"temperature": 1.25, "threshold": 0.41},
        weights_sha256=save_weights(build_network(config, get_task(name)), folder),
        data_digest="d" * 64,
        trained_on=["0" * 16],
        subjects={"train": ["a", "b"], "validation": [], "held_out": [f"person {index}" for index in range(40)]},
        metrics={},
        intervals={},
        parameters=1234,
        gflops=0.5,
        run_id="",
        code_revision="c" * 40,
        versions={"torch": "2"},
        config={"task": name, "network": vars(config), "data": {"held_out_fold": -1, "sampler": "sqrt"}, "out": "here"},
    )
    save_card(card, folder)
    return folder


def evaluation(model: Path, name: str = "evaluation", **changes: Any) -> Path:
    described = json.loads((model / "model.json").read_text())
    task = described["task"]
    data = {"source": SOURCES[task], "digest": "e" * 64, "pictures": 4, "subjects": 2, "left_out_as_trained_on": 16}
    document = {
        "task": task,
        "command": f"python -m training evaluate task={task} root=somewhere out={name}",
        "model": {"weights_sha256": changes.pop("judged", described["weights_sha256"])},
        "data": data | changes.pop("data", {}),
        "subjects": "unseen",
        "normalise": "colour_and_framing" if name == "removed" else "none",
        "metrics": METRICS[task],
        "intervals_95": {key: [0.1, 0.9] for key in METRICS[task]},
        "reliability": [{"count": 1000, "confidence": 0.9, "accuracy": 0.8}],
        "per_image": [],
    } | changes
    folder = model.parent / name
    folder.mkdir()
    (folder / "metrics.json").write_text(json.dumps(document))
    Image.fromarray(np.full((386, 1440, 3), 90, np.uint8)).save(folder / "worst.jpg")
    return folder / "metrics.json"


def crossvalidation(model: Path, **changes: Any) -> Path:
    described = json.loads((model / "model.json").read_text())
    path = model.parent / "folds.json"
    figures = {"metrics": {"macro_f1": 0.77}, "intervals_95": {"macro_f1": [0.75, 0.79]}}
    baseline = {"metrics": {"macro_f1": 0.7012}, "intervals_95": {"macro_f1": [0.68, 0.72]}}
    # As `crossvalidate` writes it: in other folders, each fold held out once.
    config = described["config"] | {"data": {"held_out_fold": 0, "sampler": "sqrt"}, "out": "elsewhere"}
    told = {"data_digest": described["data_digest"], "config": config | changes.pop("config", {})} | changes
    document = {"command": "python -m training crossvalidate x", "baseline": baseline} | figures | told
    path.write_text(json.dumps(document))
    return path


def options(model: Path, path: Path, **more: Any) -> CardOptions:
    task = json.loads((model / "model.json").read_text())["task"]
    page = model.parent / "docs" / f"{task}.md"
    return CardOptions(task=task, model=str(model), evaluation=str(path), out=str(page), **more)


@pytest.mark.parametrize("model", ["vessels", "dubai_aerial"], indirect=True)
def test_card_has_figures_with_intervals_and_their_command(model: Path) -> None:
    path = evaluation(model)
    text = write_card(options(model, path), "python -m training card x").read_text()
    assert json.loads(path.read_text())["command"] in text
    for name, value in json.loads(path.read_text())["metrics"].items():
        assert f"| {name} | {value:.4f} | 0.1000 – 0.9000 |" in text
    assert "16 pictures of subjects that the model was trained on were left out" in text
    binary = "fundus" in text
    assert ("Nothing is fitted" if binary else "temperature 1.250") in text, "no subject steered the training"
    assert "train: 2 subjects (a, b)" in text
    assert "held_out: 40 subjects\n" in text
    assert ("Not for clinical use" in text) == ("fundus" in text)
    assert "judged on 2 " in text, "an interval over two subjects is said to be no more than a range"


@pytest.mark.parametrize("model", ["eye_disease"], indirect=True)
def test_card_of_eye_disease_tells_of_the_source(model: Path) -> None:
    removed = evaluation(model, "removed", metrics={"macro_f1": 0.4321})
    more = {"normalised": str(removed), "crossvalidation": str(crossvalidation(model))}
    text = write_card(options(model, evaluation(model), **more), "command").read_text()
    assert "come from another source" in text
    assert "0.4321" in text
    assert "0.7012" in text
    assert "python -m training crossvalidate x" in text
    assert "| f1_glaucoma | not defined |" in text


@pytest.mark.parametrize("model", ["eye_disease"], indirect=True)
def test_card_tells_of_a_photograph_on_both_sides_and_names_the_worst(model: Path) -> None:
    more = {"normalised": str(evaluation(model, "removed")), "crossvalidation": str(crossvalidation(model))}
    rows = [{"name": f"eye {index}", "probability_of_truth": index / 10} for index in range(10)]
    path = evaluation(model, per_image=rows, data={"subjects": 40})
    assert "one photograph under two names" not in write_card(options(model, path, **more), "command").read_text()
    card = load_card(model)
    sides = {"validation": [], "train": ["cataract/cataract_093.png"], "held_out": ["cataract/cataract_091.png"]}
    save_card(replace(card, subjects=sides), model)
    text = write_card(options(model, path, **more), "command").read_text()
    assert "one photograph under two names" in text
    assert "| eye 0 | 0.0000 |\n| eye 1 | 0.1000 |" in text
    assert "eye 8" not in text
    assert "over so few" not in text


@pytest.mark.parametrize("model", ["eye_disease"], indirect=True)
@pytest.mark.parametrize(
    ("given", "sentence"), [("crossvalidation", "without the marks"), ("normalised", "colour alone")]
)
def test_card_of_eye_disease_without_that_is_refused(model: Path, given: str, sentence: str) -> None:
    path = evaluation(model)
    more = {given: str(crossvalidation(model) if given == "crossvalidation" else path)}
    with pytest.raises(CardError, match=sentence):
        write_card(options(model, path, **more), "command")


@pytest.mark.parametrize("model", ["eye_disease"], indirect=True)
@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"data_digest": "0" * 64}, "other data"),
        ({"config": {"task": "vessels"}}, r"another recipe \(task=vessels, not eye_disease\)"),
        ({"config": {"network": {"name": "unet"}}}, r"another recipe \(.*network.name=unet, not resunet"),
        ({"config": {"data": {"sampler": "balanced"}}}, r"another recipe \(data.sampler=balanced, not sqrt\)"),
        ({"config": {"loss": {"name": "cross_entropy"}}}, r"another recipe \(.*loss.name=cross_entropy, not None"),
    ],
)
def test_folds_of_something_else_are_refused(model: Path, changes: dict[str, Any], sentence: str) -> None:
    removed, folds = evaluation(model, "removed"), crossvalidation(model, **changes)
    with pytest.raises(CardError, match=sentence):
        write_card(options(model, evaluation(model), normalised=str(removed), crossvalidation=str(folds)), "command")


@pytest.mark.parametrize("model", ["eye_disease"], indirect=True)
def test_an_option_that_the_model_is_older_than_is_no_other_recipe(model: Path) -> None:
    card = load_card(model)
    del card.config["network"]["symmetry"]
    removed, folds = evaluation(model, "removed"), crossvalidation(model)
    save_card(card, model)
    more = {"normalised": str(removed), "crossvalidation": str(folds)}
    assert write_card(options(model, evaluation(model), **more), "command").is_file()


@pytest.mark.parametrize("model", ["eye_disease"], indirect=True)
@pytest.mark.parametrize(
    ("name", "changes", "sentence"),
    [("plain", {}, "normalise=none"), ("removed", {"data": {"digest": "f" * 64}}, "other pictures")],
)
def test_normalised_figures_of_something_else_are_refused(
    model: Path, name: str, changes: dict[str, Any], sentence: str
) -> None:
    removed, folds = evaluation(model, name, **changes), crossvalidation(model)
    with pytest.raises(CardError, match=sentence):
        write_card(options(model, evaluation(model), normalised=str(removed), crossvalidation=str(folds)), "command")


@pytest.mark.parametrize("model", ["vessels"], indirect=True)
def test_pictures_of_a_free_set_are_shown_small(model: Path) -> None:
    page = write_card(options(model, evaluation(model), published="chase_db1", pictures=True), "command")
    assert "](images/vessels_worst.jpg)" in page.read_text()
    with Image.open(page.parent / "images" / "vessels_worst.jpg") as picture:
        assert picture.width <= 1200


@pytest.mark.parametrize("model", ["vessels"], indirect=True)
@pytest.mark.parametrize("source", ["drive", "drive_hub", "stare", "deeplake", "landcover_ai"])
def test_pictures_of_other_sets_are_refused_before_anything_is_written(model: Path, source: str) -> None:
    path = evaluation(model, data={"source": source})
    with pytest.raises(CardError, match=f"in the layout of {source} is no set that may be shown"):
        write_card(options(model, path, published="chase_db1", pictures=True), "command")
    assert not (model.parent / "docs").exists()


@pytest.mark.parametrize("model", ["vessels"], indirect=True)
def test_a_layout_is_no_licence(model: Path) -> None:
    """Somebody's own photographs may lie in folders like those of CHASE_DB1."""
    path = evaluation(model)
    with pytest.raises(CardError, match="published=chase_db1"):
        write_card(options(model, path, pictures=True), "command")
    assert "CC BY" not in write_card(options(model, path), "command").read_text()
    assert "CC BY 4.0" in write_card(options(model, path, published="chase_db1"), "command").read_text()


@pytest.mark.parametrize("model", ["vessels"], indirect=True)
def test_another_task_is_refused(model: Path) -> None:
    path = evaluation(model)
    with pytest.raises(CardError, match=r"is of vessels and .* of vessels; give those of landcover_ai"):
        write_card(replace(options(model, path), task="landcover_ai"), "command")


@pytest.mark.parametrize("model", ["vessels"], indirect=True)
def test_evaluation_of_other_weights_is_refused(model: Path) -> None:
    with pytest.raises(CardError, match="judges other weights"):
        write_card(options(model, evaluation(model, judged="f" * 64)), "command")


@pytest.mark.parametrize("model", ["vessels"], indirect=True)
def test_figures_on_training_subjects_are_called_that(model: Path) -> None:
    text = write_card(options(model, evaluation(model, subjects="all")), "command").read_text()
    assert "not how good it is" in text


@pytest.mark.parametrize(
    ("words", "status"),
    [(["task=vesels"], 2), (["task=vessels", "picture=true"], 2), (["task=vessels", "model=no"], 1)],
)
def test_wrong_call_is_one_sentence(words: list[str], status: int, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_card(words, Console(stderr=True, soft_wrap=True)) == status
    assert capsys.readouterr().err.startswith("error: ")
