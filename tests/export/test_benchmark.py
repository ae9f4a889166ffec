"""The benchmark measures what an export left, says what it compares with, and refuses in one sentence."""

import json
from pathlib import Path

import pytest
from untrained import drawn_samples, model_folder

from export.__main__ import main
from export.artefact import Material
from export.benchmark import READS, YARDSTICK, BenchmarkConfig, benchmark, load_benchmark_config
from export.contender import RUNTIMES
from export.errors import ExportError
from export.formats import FORMATS
from tasks import get_task
from tasks.processing import preprocess
from training.weights import load_serving_module

TASK = get_task("eye_disease")


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A work folder as export leaves it, of a network that was never trained, and its model folder beside it."""
    root = tmp_path_factory.mktemp("work")
    module, _ = load_serving_module(model_folder(TASK, root / "model"))
    learnt = [preprocess(sample.read().encoded, TASK).pixels for sample in drawn_samples(TASK, 4)]
    (root / TASK.name).mkdir()
    for name in ("torchscript", "onnx", "onnx_int8", "openvino"):
        path = root / TASK.name / FORMATS[name].file_name
        FORMATS[name].write(Material(module, TASK, {}, lambda: learnt), path)
    return root


def config_for(exported: Path, tmp_path: Path, **others: object) -> BenchmarkConfig:
    words = {"task": TASK.name, "work": str(exported), "out": str(tmp_path), "threads": [1], "rounds": 3}
    return BenchmarkConfig(**{**words, **others})


@pytest.mark.slow
def test_every_artefact_is_measured_under_every_runtime_that_reads_it(exported: Path, tmp_path: Path) -> None:
    rows = benchmark(config_for(exported, tmp_path, model=str(exported / "model"), threads=[1, 2]), lambda _: None)
    there = ("torchscript", "onnx", "onnx_int8", "openvino")
    pairs = {(runtime, name) for runtime, names in READS.items() for name in names if name in there}
    assert {(row.runtime, row.format) for row in rows} == pairs | {("pytorch", "eager")}
    assert len(rows) == 2 * (len(pairs) + 1)
    for row in rows:
        assert 0 < row.p50_ms <= row.p95_ms
        assert row.model_bytes > 1000
        if (row.runtime, row.format) == YARDSTICK:
            assert row.times_as_fast == 1
    peaks = {row.runtime: row.peak_rss_bytes for row in rows}
    assert peaks["onnxruntime"] < peaks["pytorch"], "a runtime's memory is its own"
    written = json.loads((tmp_path / TASK.name / "benchmark.json").read_text())
    assert len(written) == len(rows)
    assert len((tmp_path / TASK.name / "benchmark.md").read_text().splitlines()) == len(rows) + 2


def test_every_runtime_is_known_to_the_contender() -> None:
    assert set(READS) | {"pytorch"} == set(RUNTIMES)
    assert {name for names in READS.values() for name in names} <= set(FORMATS)


@pytest.mark.slow
def test_broken_artefact_is_named(exported: Path, tmp_path: Path) -> None:
    folder = tmp_path / "work" / TASK.name
    folder.mkdir(parents=True)
    (folder / "model.onnx").write_bytes((exported / TASK.name / "model.onnx").read_bytes()[:-3000])
    with pytest.raises(ExportError, match=r"model\.onnx under onnxruntime cannot run: "):
        benchmark(config_for(tmp_path / "work", tmp_path), lambda _: None)


def test_nothing_exported_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["benchmark", f"work={tmp_path}", f"out={tmp_path / 'out'}"]) == 1
    assert "there is no exported model.onnx" in capsys.readouterr().out
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["task=xray"], "task=xray must be one of"),
        (["rounds=0"], "must be positive"),
        (["threads=[]"], "must be positive"),
        (["threads=[0]"], "must be positive"),
        (["thread=1"], "thread"),
        (["rounds=many"], "many"),
    ],
)
def test_wrong_words_are_refused(words: list[str], said: str) -> None:
    with pytest.raises(ExportError, match=said) as caught:
        load_benchmark_config(words)
    assert "\n" not in str(caught.value)
