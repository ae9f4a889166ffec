"""What shuts a gate, what opens it, and what a verdict may be used for."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from pipelines.__main__ import main
from pipelines.champion import adopt, current, promote
from pipelines.errors import PipelineError
from pipelines.judging.gates import (
    Gate,
    others_gate,
    paired_interval,
    parity_gates,
    quality_gate,
    slice_gates,
    unseen_gate,
)
from pipelines.judging.verdict import Verdict, read_verdict, write_verdict
from tasks.checksums import write_checksums

SLICES = {"dark": ["a", "b"], "bright": ["c", "d"]}
CHAMPION = {"a": 0.80, "b": 0.70, "c": 0.75, "d": 0.65}


EACH = {name: name for name in CHAMPION}


def _moved(**by: float) -> dict[str, float]:
    return {name: figure + by.get(name, 0.0) for name, figure in CHAMPION.items()}


def test_a_slice_that_got_worse_shuts_its_gate_though_the_mean_rose() -> None:
    challenger = _moved(a=0.10, b=0.10, c=-0.05, d=-0.05)
    gates = {gate.name: gate for gate in slice_gates(CHAMPION, challenger, SLICES, margin=0.02)}
    assert gates["slice dark"].passed
    assert not gates["slice bright"].passed
    assert "-0.0500 over 2 pictures" in gates["slice bright"].said


@pytest.mark.parametrize(
    ("by", "passed"), [(0.05, True), (0.0, True), (-0.009, True), (-0.011, False), (float("nan"), False)]
)
def test_quality_may_fall_by_its_margin_and_no_more(by: float, passed: bool) -> None:
    challenger = {name: figure + by for name, figure in CHAMPION.items()}
    assert quality_gate(CHAMPION, challenger, EACH, margin=0.01).passed is passed


def test_a_difference_that_hides_in_noise_is_no_proof() -> None:
    challenger = _moved(a=0.2, b=-0.2, c=0.2, d=-0.2)
    gate = quality_gate(CHAMPION, challenger, EACH, margin=0.01)
    assert not gate.passed, "four pictures cannot show that it is not worse"


def test_two_eyes_of_a_person_are_one_proof() -> None:
    challenger = _moved(a=0.02, b=0.02, c=-0.012, d=-0.012)
    person = {"a": "1", "b": "1", "c": "2", "d": "2"}
    one, two = (quality_gate(CHAMPION, challenger, of, 0.03) for of in (EACH, person))
    assert one.passed
    assert not two.passed
    assert "over 2 people" in two.said
    alone = quality_gate(CHAMPION, _moved(a=0.3, b=0.3, c=0.3, d=0.3), dict.fromkeys("abcd", "1"), 0.01)
    assert not alone.passed, "one person shows nothing"


@pytest.mark.parametrize("people", [3, 6, 12])
def test_what_is_worse_by_the_margin_seldom_passes(people: int) -> None:
    generator = np.random.default_rng(people)
    passed = 0
    for seed in range(400):
        low, _ = paired_interval(generator.normal(-0.01, 0.05, people).tolist(), seed)
        passed += low >= -0.01
    assert passed <= 20, "2.5 % are promised, and 5 % would be 20"


def test_the_interval_covers_the_truth_about_as_often_as_it_says() -> None:
    generator = np.random.default_rng(1)
    covered = 0
    for seed in range(200):
        low, high = paired_interval(generator.normal(0.02, 0.05, 40).tolist(), seed)
        covered += low <= 0.02 <= high
    assert 178 <= covered <= 198


def test_parity_broken_in_one_slice_is_not_averaged_away() -> None:
    served = {**CHAMPION, "c": CHAMPION["c"] - 0.006}
    gates = {gate.name: gate.passed for gate in parity_gates(CHAMPION, served, SLICES, budget=0.002)}
    assert gates == {"parity dark": True, "parity bright": False}
    assert abs(np.mean([served[name] - CHAMPION[name] for name in CHAMPION])) < 0.002


def test_whoever_trained_on_the_test_set_is_out() -> None:
    assert unseen_gate(["01", "02"], frozenset({"41"})).passed
    assert not unseen_gate(["01", "02"], frozenset()).passed, "nobody can say"
    gate = unseen_gate(["01", "41"], frozenset({"41", "42"}))
    assert not gate.passed
    assert "41" in gate.said


def test_another_task_may_not_change_on_the_way() -> None:
    champion = {"vessels_network/1/model.onnx": "1", "eye_disease/config.pbtxt": "2", "provenance.json": "3"}
    mine = champion | {"vessels_network/1/model.onnx": "9", "provenance.json": "9"}
    assert others_gate(champion, mine, "vessels").passed
    assert not others_gate(champion, mine | {"eye_disease/config.pbtxt": "9"}, "vessels").passed
    assert not others_gate(champion, mine | {"vessels_other/config.pbtxt": "9"}, "vessels").passed
    assert not others_gate({**champion}, {"vessels_network/1/model.onnx": "9"}, "vessels").passed, "lost"


OPEN, SHUT = Gate("quality", True, "fine"), Gate("latency", False, "twice as slow")


def test_one_shut_gate_refuses_and_nothing_judged_is_no_pass(tmp_path: Path) -> None:
    verdict = Verdict("vessels", "b", "a", "digest", (OPEN, SHUT))
    assert not verdict.passed
    assert verdict.why == "latency: twice as slow"
    assert replace(verdict, gates=(OPEN,)).passed
    assert not replace(verdict, gates=()).passed
    assert read_verdict(write_verdict(verdict, tmp_path)) == verdict


def _release(folder: Path, text: str) -> Path:
    folder.mkdir()
    (folder / "config.pbtxt").write_text(text)
    write_checksums(folder)
    return folder


def test_promote_acts_on_its_own_verdict_alone(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    link = tmp_path / "build" / "model_repository"
    first = adopt(_release(tmp_path / "first", "first"), link)
    promote(first, link, expected=None, why="")
    challenger = _release(tmp_path / "challenger", "challenger")
    name = adopt(challenger, tmp_path / "elsewhere" / "link").name

    def call(verdict: Verdict) -> tuple[int, str]:
        path = write_verdict(verdict, tmp_path)
        words = ["--challenger", str(challenger), "--champion", str(link), "--verdict", str(path)]
        return main(["promote", *words]), capsys.readouterr().out

    right = Verdict("vessels", name, first.name, "digest", (OPEN,))
    status, said = call(replace(right, gates=(OPEN, SHUT)))
    assert (status, "twice as slow" in said) == (3, True)
    status, said = call(replace(right, challenger="another"))
    assert (status, "judge it" in said) == (1, True)
    status, said = call(replace(right, champion="another"))
    assert (status, "judge anew" in said) == (1, True)
    assert current(link) == first.resolve(), "the champion stays"
    assert call(right)[0] == 0
    assert current(link).name == name


_SAID_SO = json.dumps(
    {
        **dict.fromkeys(("task", "challenger", "champion", "test_set", "profile"), ""),
        "gates": [{"name": "quality", "passed": "no", "said": ""}],
    }
)


@pytest.mark.parametrize("content", ["", "{}", '{"gates": 3}', json.dumps({"gates": [{"name": 1}]}), _SAID_SO])
def test_what_is_no_verdict_is_one_sentence(tmp_path: Path, content: str) -> None:
    path = tmp_path / "verdict.json"
    path.write_text(content)
    with pytest.raises(PipelineError, match="is no verdict"):
        read_verdict(path)
