"""What is shipped: small, loaded without running code, made by the recipe in the repository, described by its card."""

import json
from dataclasses import asdict
from pathlib import Path

import pytest
from untrained import drawn_samples

from tasks import get_task
from tasks.processing import Classification
from training.command import load_config
from training.evaluation import evaluate
from training.experiments.crossvalidation import recipe
from training.weights import MAX_SHIPPED_BYTES, load_card, load_serving_module

ROOT = Path(__file__).parents[2]
SHIPPED = sorted(path.with_suffix("") for path in (ROOT / "weights").glob("*.json"))
every_weight = pytest.mark.parametrize("model", SHIPPED, ids=[path.name for path in SHIPPED])


def test_three_tasks_are_shipped() -> None:
    assert [path.name for path in SHIPPED] == ["dubai_aerial", "eye_disease", "vessels"]


@every_weight
def test_weights_are_small_and_answer(model: Path) -> None:
    assert model.with_suffix(".safetensors").stat().st_size <= MAX_SHIPPED_BYTES
    module, card = load_serving_module(model)
    task = get_task(model.name)
    assert sum(value.numel() for value in module.network.parameters()) == card.parameters <= 3_000_000
    for item in evaluate(module, drawn_samples(task, 1), task):
        if isinstance(item.prediction, Classification):
            assert item.prediction.probability.sum() == pytest.approx(1, abs=1e-5)
        else:
            assert item.prediction.mask.shape == item.prediction.probability.shape


@every_weight
def test_recipe_in_the_repository_is_the_one_that_made_them(model: Path) -> None:
    config = load_config([f"task={model.name}", "data.root=anywhere"])
    assert recipe(load_card(model).config) == recipe(asdict(config))


@every_weight
def test_nobody_is_on_both_sides(model: Path) -> None:
    subjects = load_card(model).subjects
    assert subjects["held_out"]
    assert not set(subjects["held_out"]) & {*subjects["train"], *subjects["validation"]}


@every_weight
def test_card_in_the_documentation_is_of_these_weights(model: Path) -> None:
    page = (ROOT / "docs" / "models" / f"{model.name}.md").read_text()
    card = load_card(model)
    assert card.weights_sha256[:16] in page
    assert card.data_digest[:16] in page
    medical = "Not for clinical use" in page
    assert medical == (model.name != "dubai_aerial")


@every_weight
def test_nothing_of_a_machine_is_in_them(model: Path) -> None:
    text = model.with_suffix(".json").read_text()
    assert "/home" not in text
    assert "/tmp" not in text  # noqa: S108 - a word that is looked for
    assert "root" not in json.loads(text)["config"]["data"]
