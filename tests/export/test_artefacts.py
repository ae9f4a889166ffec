"""What an artefact answers and what it carries, whatever its format."""

import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from exported import CLASSIFICATION, COMPARED, ROUGH, SEMANTIC, every_format, every_onnx, every_task, material
from untrained import untrained

from export.artefact import INPUT_NAME, OUTPUT_NAMES, answer_of
from export.formats import FORMATS
from tasks import Kind

pytestmark = pytest.mark.slow


@every_format
@every_task
def test_served_is_the_probability_after_arg_max_and_rounding(exported, task: str, name: str) -> None:
    there = exported(task)
    spec, size_px = there.task, there.task.size_px
    answer = FORMATS[name].load(there.artefacts[name])(there.pictures[0].fitted.pixels[None])
    assert len(answer.served) == len(OUTPUT_NAMES[spec.kind])
    if spec.kind is Kind.CLASSIFICATION:
        assert answer.served[0].dtype == np.float32
        assert answer.served[0].shape == (1, len(spec.classes))
        assert answer.served[0].sum() == pytest.approx(1, abs=1e-6)
        return
    assert {plane.dtype for plane in answer.served} == {np.dtype(np.uint8)}
    assert {plane.shape for plane in answer.served} == {(1, size_px, size_px)}
    probability = answer.probability.reshape(1, -1, size_px, size_px)
    levels = np.rint(probability.max(axis=1) * 255)
    # In half precision 255 times a probability is rounded before it becomes a byte.
    assert np.abs(answer.served[-1] - levels).max() <= (1 if name in ROUGH else 0)
    assert np.ptp(answer.served[-1]) > 100, "a network that answers the same everywhere would compare nothing"
    if spec.kind is Kind.SEMANTIC_SEGMENTATION:
        winners = probability.argmax(axis=1) + int(spec.unlabeled)
        assert (answer.served[0] == winners).mean() >= (0.999 if name in ROUGH else 1)
        assert len(np.unique(answer.served[0])) == len(spec.predicted)


@every_onnx
@every_task
def test_onnx_is_one_clean_file(exported, task: str, name: str) -> None:
    there = exported(task)
    path = there.artefacts[name]
    model = onnx.load_model(str(path))
    assert [item.name for item in model.graph.input] == [INPUT_NAME]
    assert [item.name for item in model.graph.output] == list(OUTPUT_NAMES[there.task.kind])
    for tensor in (*model.graph.input, *model.graph.output):
        assert tensor.type.tensor_type.shape.dim[0].dim_param == "batch"
    assert {"task", "classes"} <= {entry.key for entry in model.metadata_props}
    assert str(Path(__file__).parents[2]).encode() not in path.read_bytes(), "no path of the machine that exported it"
    assert not list(path.parent.glob("*.data"))


@every_task
def test_same_network_gives_the_same_files(exported, tmp_path: Path, task: str) -> None:
    """Every byte is equal, so the content's digest is. TorchScript counts a process's traces: see test_export."""
    there = exported(task)
    again = material(untrained(there.task), there.task)
    for name in (name for name in COMPARED if name != "torchscript"):  # FP32 ONNX first: the others are made from it
        kept = frozenset(there.reports[name].float_layers)
        FORMATS[name].write(replace(again, kept_float=kept), tmp_path / FORMATS[name].file_name)
        for file_name in (FORMATS[name].file_name, *FORMATS[name].companions):
            assert (tmp_path / file_name).read_bytes() == there.artefacts[name].with_name(file_name).read_bytes()


def test_torchscript_says_nothing_of_the_machine(exported) -> None:
    with zipfile.ZipFile(exported(CLASSIFICATION).artefacts["torchscript"]) as archive:
        content = b"".join(archive.read(name) for name in archive.namelist())
    assert b"classes" in b" ".join(name.encode() for name in archive.namelist()), "the metadata is kept"
    assert str(Path(__file__).parents[2]).encode() not in content


def test_eager_answer_is_what_forward_says(exported) -> None:
    there = exported(SEMANTIC)
    batch = torch.from_numpy(there.pictures[0].fitted.pixels[None])
    with torch.inference_mode():
        served = there.module(batch)
        answer = answer_of(there.module, batch)
    assert all(np.array_equal(a, b.numpy()) for a, b in zip(answer.served, served, strict=True))
