"""Every task's untrained network and its artefacts in every format: what the tests of the gate compare."""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import numpy_helper
from untrained import drawn_samples, untrained

from export.artefact import Material, Pixels
from export.comparison import Expected, expect
from export.export import write_and_measure
from export.formats import FORMATS
from export.parity import ParityReport, measure_parity
from export.pictures import Picture, of_sample
from tasks import TASKS, TaskSpec
from tasks.processing import Classification, preprocess
from training.evaluation import predict
from training.samples import Sample
from training.serving_module import ServingModule

BATCH = 6
SEGMENTATION, SEMANTIC, CLASSIFICATION = "vessels", "dubai_aerial", "eye_disease"
# Those that this machine runs and writes in seconds; test_tensorrt and test_aoti see to the others.
COMPARED = [name for name in FORMATS if name not in ("tensorrt", "torch_tensorrt", "aoti")]
QUANTISED = ("onnx_int8", "openvino")
ROUGH = ("onnx_fp16", *QUANTISED)
every_format = pytest.mark.parametrize("name", COMPARED)
every_onnx = pytest.mark.parametrize("name", [name for name in COMPARED if name.startswith("onnx")])
every_task = pytest.mark.parametrize("task", TASKS)


@dataclass(frozen=True)
class Exported:
    """A task's network, what it answers to what it is compared on, and its artefacts by format with their reports."""

    task: TaskSpec
    module: ServingModule
    pictures: list[Picture]
    expected: list[Expected]
    artefacts: dict[str, Path]
    reports: dict[str, ParityReport]

    def measure(self, name: str, path: Path) -> ParityReport:
        report = measure_parity(name, FORMATS[name], path, self.expected, self.task, batch=BATCH)
        assert report is not None
        return report


def export_all(name: str, folder: Path) -> Exported:
    """Write a task's artefacts in every format and compare them."""
    task = TASKS[name]
    module = untrained(task)
    pictures = [agreed(sample, module, task) for sample in drawn_samples(task, seed=1)]
    expected, reports = expect(module, pictures, task), {}
    for each in COMPARED:
        path = folder / FORMATS[each].file_name
        if each in QUANTISED:  # an untrained network has no margin that could forgive 256 steps
            FORMATS[each].write(material(module, task), path)
            report = measure_parity(each, FORMATS[each], path, expected, task, batch=BATCH)
        else:
            report = write_and_measure(each, material(module, task), folder, expected, lambda _: None)
        assert report is not None
        reports[each] = report
    artefacts = {each: folder / FORMATS[each].file_name for each in COMPARED}
    return Exported(task, module, pictures, expected, artefacts, reports)


def material(module: ServingModule, task: TaskSpec) -> Material:
    """A network with what it says of itself, and drawn pictures that pass for those it learnt from."""

    def learnt() -> list[Pixels]:
        return [preprocess(sample.read().encoded, task).pixels for sample in drawn_samples(task, 4)]

    return Material(module, task, {"task": task.name, "classes": "[]"}, learnt)


def agreed(sample: Sample, module: ServingModule, task: TaskSpec) -> Picture:
    """Let the expert say what the network says: a quality of 1 falls with every fault."""
    labelled = sample.read()
    answer = predict(module, labelled.encoded, task)
    if isinstance(answer, Classification):
        return of_sample(replace(sample, label=answer.label), task)
    return of_sample(replace(sample, read=lambda: replace(labelled, mask=answer.mask)), task)


def scale_one_weight(model: onnx.ModelProto) -> None:
    """One convolution in the middle is 2 % off."""
    weight = [item for item in model.graph.initializer if len(item.dims) == 4][2]
    weight.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(weight) * np.float32(1.02), weight.name))
