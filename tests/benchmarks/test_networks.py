"""The speed and quality curve: every model is timed in every round, and judged on what none of them was trained on."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image
from untrained import drawn_samples, model_folder

from benchmarks.networks import _alternate, main, measure
from tasks import get_task
from training.errors import TrainingError
from training.evaluation import evaluate, pooled_metrics
from training.weights import load_card, load_serving_module, save_card

VESSELS = get_task("vessels")
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("models")
    return [model_folder(VESSELS, folder / f"network_{seed}", seed) for seed in range(2)]


def trained_on(model: Path, digests: list[str]) -> None:
    save_card(replace(load_card(model), trained_on=[digest[:16] for digest in digests]), model)


def test_scores_are_those_of_evaluation_on_unseen_pictures(models: list[Path]) -> None:
    samples = drawn_samples(VESSELS, 3)
    trained_on(models[1], [samples[0].digest])
    rows = measure(models, samples, rounds=2, threads=1)
    assert [row.name for row in rows] == ["network_0", "network_1"]
    assert rows[0].times_as_fast == 1.0
    for row, model in zip(rows, models, strict=True):
        module, _ = load_serving_module(model)
        for tta, score in ((False, row.score), (True, row.score_tta)):
            judged = [item.judgement() for item in evaluate(module, samples[1:], VESSELS, tta=tta)]
            assert score == pooled_metrics(judged, VESSELS)["dice"]
        assert row.latency_ms > 0


def test_nothing_is_left_to_judge_on(models: list[Path]) -> None:
    samples = drawn_samples(VESSELS, 2)
    trained_on(models[1], [sample.digest for sample in samples])
    with pytest.raises(TrainingError, match="every picture was trained on"):
        measure(models, samples, rounds=1, threads=1)


def test_every_round_runs_each_network_once() -> None:
    class Session:
        def __init__(self, name: str) -> None:
            self.name = name

        def get_inputs(self) -> list["Session"]:
            return [self]

        def run(self, _: object, __: object) -> None:
            order.append(self.name)

    order: list[str] = []
    seconds = _alternate([Session("a"), Session("b")], VESSELS, rounds=3)  # type: ignore[list-item]
    assert "".join(order) == "abababab", "one round to warm up and three to measure"
    assert [len(times) for times in seconds] == [3, 3]


def test_call_writes_figures_and_a_plot(models: list[Path], synthetic: Path, tmp_path: Path) -> None:
    for model in models:
        trained_on(model, [])
    out = tmp_path / "curve.json"
    words = [*map(str, models), "--root", str(synthetic), "--rounds", "1", "--out", str(out)]
    assert main(words) == 0
    rows = json.loads(out.read_text())
    assert [row["name"] for row in rows] == ["network_0", "network_1"]
    with Image.open(out.with_suffix(".png")) as plot:
        assert plot.width > 400


def test_wrong_calls_are_one_sentence(models: list[Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(models[0]), "--root", str(tmp_path / "nothing")]) == 1
    said = capsys.readouterr().out
    assert said.startswith("error: ")
    assert len(said.splitlines()) == 1
