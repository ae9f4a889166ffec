"""What the client costs: every contender is asked in every round, in flight is bounded, the bars are the issue's."""

import asyncio
import json
from pathlib import Path

import numpy as np
import pytest
from doors import Stages
from kserve import LightTriton, level, serve

from benchmarks.client import alternate, assemble, judge, main, saturate, summarise
from benchmarks.contenders import FOVEA, FOVEA_AIO, RAW, RAW_AIO, TRITON, TRITON_AIO, Contender, Question, contenders
from serving.errors import ServingError
from tasks.checksums import verify_checksums


def test_every_round_asks_each_once_in_an_order_of_its_own() -> None:
    asked: list[str] = []
    ways = [Contender(name, lambda name=name: asked.append(name)) for name in "abc"]
    times = asyncio.run(alternate(ways, rounds=40))
    rounds = ["".join(asked[start : start + 3]) for start in range(0, len(asked), 3)]
    assert {"".join(sorted(each)) for each in rounds} == {"abc"}
    assert len(set(rounds)) == 6, "each order comes up"
    assert [len(values) for values in times.values()] == [40] * 3
    assert len(rounds) > 40, "the first rounds warm up"


def test_figures_stand_beside_those_of_the_same_kind() -> None:
    rows = summarise("identity", {name: np.full(50, us) for name, us in _TIMES.items()})
    beyond = {row.name: (row.p50_us, row.p50_beyond_us, row.p95_ratio) for row in rows}
    assert beyond == {
        TRITON: (100.0, 0.0, 1.0),
        FOVEA: (130.0, 30.0, 1.3),
        TRITON_AIO: (200.0, 0.0, 1.0),
        FOVEA_AIO: (150.0, -50.0, 0.75),
    }
    assert {row.p50_beyond_interval_us for row in rows if row.name == FOVEA} == {(30.0, 30.0)}


_TIMES = {TRITON: 100.0, FOVEA: 130.0, TRITON_AIO: 200.0, FOVEA_AIO: 150.0}


def test_throughput_keeps_as_many_in_flight_as_told_and_no_more() -> None:
    under_way: list[int] = [0, 0]

    async def slow() -> None:
        under_way[0] += 1
        under_way[1] = max(under_way)
        await asyncio.sleep(0.002)
        under_way[0] -= 1

    async def slower() -> None:
        await slow()
        await asyncio.sleep(0.004)

    ways = [Contender("slow", slow, waits=True), Contender("slower", slower, waits=True)]
    rows = asyncio.run(saturate("identity", ways, in_flight=8, calls=64, turns=4))
    assert under_way == [0, 8]
    assert rows[0].ratio == 1.0
    assert rows[1].ratio < 0.7
    assert rows[0].per_second < 8 / 0.002


@pytest.mark.parametrize(
    ("task_us", "identity_us", "share", "met"),
    [
        (1.05, 60.0, 0.95, [True, True, True]),
        (1.06, 61.0, 0.94, [False, False, False]),
    ],
)
def test_bars_are_met_up_to_their_figure(task_us: float, identity_us: float, share: float, met: list[bool]) -> None:
    from benchmarks.client import Throughput

    times = {"vessels": (1000.0, 1000.0 * task_us), "identity": (500.0, 500.0 + identity_us)}
    latencies = [
        row
        for model, (triton, ours) in times.items()
        for row in summarise(model, {TRITON: np.full(9, triton), FOVEA: np.full(9, ours)})
    ]
    bars = judge(latencies, [Throughput("identity", FOVEA_AIO, 1.0, share, (share, share), 1.0)], "vessels")
    assert [bar.met for bar in bars] == met


def test_all_contenders_get_the_same_answers() -> None:
    async def ask(address: str, question: Question) -> dict[str, object]:
        async with contenders(address, question) as ways:
            return {name: await way.answer() for name, way in ways.items()}

    with serve(LightTriton()) as address:
        same = asyncio.run(ask(address, Question.identity()))
        masks = asyncio.run(ask(address, Question.segmentation("vessels", b"eye")))
    assert list(same) == list(masks) == [RAW, TRITON, FOVEA, RAW_AIO, TRITON_AIO, FOVEA_AIO]
    for answer in same.values():
        np.testing.assert_array_equal(answer["x"], Question.identity().array)
    for answer in masks.values():
        probability = answer["probability"] if isinstance(answer, dict) else answer.probability
        assert (probability == level(b"eye")).all()


def test_a_release_without_the_task_is_one_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(ServingError, match="no model 'vessels'"):
        assemble(tmp_path, "vessels", tmp_path / "release")
    assert main(["--repository", str(tmp_path)]) == 1
    said = capsys.readouterr().out
    assert said.startswith("error: ")
    assert len(said.splitlines()) == 1


@pytest.mark.slow
def test_call_serves_measures_and_saves(stages: Stages, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    verify_checksums(assemble(stages.repository, "vessels", tmp_path / "release"))
    out = tmp_path / "client.json"
    few = ["--rounds", "5", "--task-rounds", "1", "--turns", "2", "--calls", "70"]
    assert main(["--repository", str(stages.repository), "--out", str(out), *few]) == 0
    saved = json.loads(out.read_text())
    assert [row["name"] for row in saved["latency"]] == [RAW, TRITON, FOVEA, RAW_AIO, TRITON_AIO, FOVEA_AIO] * 2
    assert {row["model"] for row in saved["latency"]} == {"identity", "vessels"}
    assert saved["throughput"][0]["ratio"] == 1.0
    assert len(saved["bars"]) == 3
    assert saved["machine"]["cpu"]
    assert "answers a second, 64 requests in flight" in capsys.readouterr().out
