"""Challengers against a champion with real parts: trained, exported, served by Triton, asked, judged, promoted."""

import json
import shutil
from pathlib import Path

import numpy as np
import onnx
import pytest
from doors import Stages, door
from frozen_set import frozen_set
from onnx import TensorProto, helper, numpy_helper
from worn import worn

from pipelines.__main__ import main
from pipelines.champion import adopt, current, name_of, promote
from tasks.checksums import list_checksums, write_checksums

pytestmark = pytest.mark.slow

# Coarse on purpose: what is planted is twice as slow, and machines of tests are never quiet.
_COMPARISON = ["--pairs", "6", "--max-pairs", "6", "--slice-s", "3", "--rate", "4", "--warm-up-s", "0.5"]
COARSE = [f"--comparison={word}" for word in [*_COMPARISON, "--least-effect", "0.6", "--must-see", "1"]]


@pytest.fixture(scope="module")
def arena(stages: Stages, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A frozen test set, and a champion whose network has gone bad."""
    folder = tmp_path_factory.mktemp("arena")
    frozen_set(folder)
    model = worn(stages.model, folder / "worn")
    exported = door("export", f"model={model}", f"to={folder / 'first'}", f"work={folder / 'work'}", "images=4")
    assert exported.returncode == 0, exported.stdout + exported.stderr
    return folder


@pytest.fixture
def champion(arena: Path, tmp_path: Path) -> Path:
    link = tmp_path / "build" / "model_repository"
    promote(adopt(arena / "first", link), link, expected=None, why="the first")
    return link


def _judge(arena: Path, champion: Path, challenger: Path, out: Path, *words: str) -> tuple[int, dict[str, bool], str]:
    places = ["--challenger", str(challenger), "--champion", str(champion), "--test-set", str(arena / "test_set")]
    status = main(["judge", *places, "--out", str(out), *COARSE, *words])
    verdict = json.loads((out / "verdict.json").read_text())
    return status, {gate["name"]: gate["passed"] for gate in verdict["gates"]}, verdict["why"]


def _promote(champion: Path, challenger: Path, out: Path) -> int:
    places = ["--challenger", str(challenger), "--champion", str(champion)]
    return main(["promote", *places, "--verdict", str(out / "verdict.json")])


def test_a_better_challenger_is_promoted_and_rolled_back(
    arena: Path, champion: Path, stages: Stages, tmp_path: Path
) -> None:
    first = champion.resolve()
    before = list_checksums(first)
    # Latency is another test's: on a machine with other work it takes minutes to show that nothing is slower.
    words = ["--model", str(stages.model), "--no-latency"]
    status, gates, why = _judge(arena, champion, stages.repository, tmp_path / "judge", *words)
    assert status == 0, why
    assert {"test set unseen", "quality", "slice dark", "parity bright"} <= gates.keys()
    assert _promote(champion, stages.repository, tmp_path / "judge") == 0
    assert current(champion).name == name_of(stages.repository.resolve())
    assert main(["rollback", "--champion", str(champion)]) == 0
    assert current(champion) == first
    assert list_checksums(first) == before


def test_a_worse_challenger_is_refused(arena: Path, champion: Path, stages: Stages, tmp_path: Path) -> None:
    better = tmp_path / "better" / "model_repository"
    promote(adopt(stages.repository, better), better, expected=None, why="")
    status, gates, why = _judge(arena, better, arena / "first", tmp_path / "judge")
    assert status == 3
    assert not gates["quality"]
    assert "latency" not in gates, "nobody waits for the latency of what is refused"
    assert "challenger minus champion -" in why
    assert _promote(better, arena / "first", tmp_path / "judge") == 3
    assert current(better).name == name_of(stages.repository.resolve())


def _altered(release: Path, to: Path) -> Path:
    return Path(shutil.copytree(release.resolve(), to, ignore=shutil.ignore_patterns("__pycache__")))


def test_a_slower_challenger_is_refused(arena: Path, champion: Path, stages: Stages, tmp_path: Path) -> None:
    slow = _altered(stages.repository, tmp_path / "slow")
    preprocess = slow / "vessels_preprocess" / "1" / "model.py"
    code = preprocess.read_text()
    assert "begun_ns = time.monotonic_ns()" in code
    stalled = "begun_ns = time.monotonic_ns()\n        time.sleep(0.2)"
    preprocess.write_text(code.replace("begun_ns = time.monotonic_ns()", stalled))
    write_checksums(slow)
    status, gates, why = _judge(arena, champion, slow, tmp_path / "judge")
    assert status == 3, why
    assert [name for name, passed in gates.items() if not passed] == ["latency"]
    assert current(champion).name == name_of(arena / "first")


def _break_bright_pictures(file: Path, level: float) -> None:
    """Let the network answer nothing but background where the picture's mean is above `level`, 0 to 255."""
    model = onnx.load(file)
    graph = model.graph
    (pixels,), answer = graph.input, graph.output[0]
    inner = f"{answer.name}_right"
    for node in graph.node:
        node.output[:] = [inner if name == answer.name else name for name in node.output]
        node.input[:] = [inner if name == answer.name else name for name in node.input]
    half = TensorProto.FLOAT
    dtype = answer.type.tensor_type.elem_type
    graph.initializer.append(numpy_helper.from_array(np.array(level, np.float32), "broken_level"))
    graph.node.extend(
        [
            helper.make_node("Cast", [pixels.name], ["broken_float"], to=half),
            helper.make_node("ReduceMean", ["broken_float"], ["broken_mean"], keepdims=0),
            helper.make_node("Less", ["broken_mean", "broken_level"], ["broken_dark"]),
            helper.make_node("Cast", ["broken_dark"], ["broken_factor"], to=dtype),
            helper.make_node("Mul", [inner, "broken_factor"], [answer.name]),
        ]
    )
    onnx.checker.check_model(model)
    onnx.save(model, file)


def test_parity_lost_on_a_single_slice_is_refused(arena: Path, champion: Path, stages: Stages, tmp_path: Path) -> None:
    from PIL import Image

    names = json.loads((arena / "test_set" / "slices.json").read_text())
    pictures = {path.stem: path for path in (arena / "test_set" / "held_out" / "images").iterdir()}
    levels = {slice_: [np.asarray(Image.open(pictures[name])).mean() for name in names[slice_]] for slice_ in names}
    broken = _altered(stages.repository, tmp_path / "broken")
    level = (min(levels["bright"]) + max(levels["medium"])) / 2
    _break_bright_pictures(broken / "vessels_network" / "1" / "model.onnx", level)
    write_checksums(broken)
    status, gates, why = _judge(arena, champion, broken, tmp_path / "judge")
    assert status == 3
    assert {name: passed for name, passed in gates.items() if name.startswith("parity")} == {
        "parity dark": True,
        "parity medium": True,
        "parity bright": False,
    }, why
    assert _promote(champion, broken, tmp_path / "judge") == 3
    assert current(champion).name == name_of(arena / "first")


def test_whoever_learnt_from_the_test_set_is_refused(
    arena: Path, champion: Path, stages: Stages, tmp_path: Path
) -> None:
    model = tmp_path / "model"
    model.mkdir()
    card = json.loads((stages.model / "model.json").read_text())
    card["subjects"]["train"].append("41")
    (model / "model.json").write_text(json.dumps(card))
    status, gates, _ = _judge(arena, champion, stages.repository, tmp_path / "judge", "--model", str(model))
    assert status == 3
    assert not gates["test set unseen"]
