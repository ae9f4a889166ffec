"""The gate lets accurate artefacts pass and refuses perturbed ones: what is planted here must be seen."""

import zipfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from onnx import helper, numpy_helper
from untrained import drawn_samples, untrained

from export.artefact import INPUT_NAME, OUTPUT_NAMES, answer_of
from export.errors import ParityError
from export.formats import FORMATS
from export.parity import ParityReport, measure_parity, require_parity
from export.pictures import Picture, of_sample
from tasks import TASKS, Kind, TaskSpec
from tasks.processing import Classification
from training.evaluation import predict
from training.samples import Sample
from training.serving_module import ServingModule

pytestmark = pytest.mark.slow
BATCH = 6
SEGMENTATION, SEMANTIC, CLASSIFICATION = "vessels", "dubai_aerial", "eye_disease"


@dataclass(frozen=True)
class Exported:
    """A task's network, what it is compared on, and its artefacts by format."""

    task: TaskSpec
    module: ServingModule
    pictures: list[Picture]
    artefacts: dict[str, Path]

    def measure(self, name: str, path: Path) -> ParityReport:
        return measure_parity(name, FORMATS[name], path, self.module, self.pictures, self.task, batch=BATCH)


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Exported]:
    """Writes a task's artefacts when they are first asked for."""
    done: dict[str, Exported] = {}

    def export(name: str) -> Exported:
        if name not in done:
            task, folder = TASKS[name], tmp_path_factory.mktemp(name)
            module, artefacts = untrained(task), {}
            for each, export_format in FORMATS.items():
                artefacts[each] = folder / export_format.file_name
                export_format.write(module, task, {"task": name, "classes": "[]"}, artefacts[each])
            pictures = [agreed(sample, module, task) for sample in drawn_samples(task, seed=1)]
            done[name] = Exported(task, module, pictures, artefacts)
        return done[name]

    return export


def agreed(sample: Sample, module: ServingModule, task: TaskSpec) -> Picture:
    """Let the expert say what the network says: a quality of 1 falls with every fault."""
    labelled = sample.read()
    answer = predict(module, labelled.encoded, task)
    if isinstance(answer, Classification):
        return of_sample(replace(sample, label=answer.label), task)
    return of_sample(replace(sample, read=lambda: replace(labelled, mask=answer.mask)), task)


every_format = pytest.mark.parametrize("name", FORMATS)
every_task = pytest.mark.parametrize("task", TASKS)


@every_format
@every_task
def test_written_artefact_passes(exported, task: str, name: str) -> None:
    there = exported(task)
    report = there.measure(name, there.artefacts[name])
    assert report.images == len(there.pictures) > 1
    assert report.max_abs_error < 2e-5
    require_parity(report)


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
    assert np.array_equal(answer.served[-1], np.rint(probability.max(axis=1) * 255).astype(np.uint8))
    assert np.ptp(answer.served[-1]) > 100, "a network that answers the same everywhere would compare nothing"
    if spec.kind is Kind.SEMANTIC_SEGMENTATION:
        assert np.array_equal(answer.served[0], probability.argmax(axis=1) + int(spec.unlabeled))
        assert len(np.unique(answer.served[0])) == len(spec.predicted)


Perturb = Callable[[onnx.ModelProto], None]


def scale_one_weight(model: onnx.ModelProto) -> None:
    """One convolution in the middle is 2 % off."""
    weight = [item for item in model.graph.initializer if len(item.dims) == 4][2]
    weight.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(weight) * np.float32(1.02), weight.name))


def half_precision_weights(model: onnx.ModelProto) -> None:
    """What a conversion to FP16 would leave of the weights, passed off as FP32."""
    for item in model.graph.initializer:
        if len(item.dims) == 4:
            rounded = numpy_helper.to_array(item).astype(np.float16).astype(np.float32)
            item.CopyFrom(numpy_helper.from_array(rounded, item.name))


def without_softmax(model: onnx.ModelProto) -> None:
    """Logits pass for probabilities; the arg-max stays right."""
    node = next(node for node in model.graph.node if node.op_type == "Softmax")
    node.CopyFrom(helper.make_node("Identity", node.input, node.output))


def intercept(model: onnx.ModelProto, index: int) -> str:
    """Call what made an output "true", so that something else may make the output; return the output's name."""
    output = model.graph.output[index].name
    for node in model.graph.node:
        for names in (node.input, node.output):
            for place, name in enumerate(names):
                names[place] = "true" if name == output else name
    return output


def add(model: onnx.ModelProto, *nodes: onnx.NodeProto, **constants: np.ndarray) -> None:
    model.graph.initializer.extend(numpy_helper.from_array(value, name) for name, value in constants.items())
    model.graph.node.extend(nodes)


def clipped_after_rounding(model: onnx.ModelProto) -> None:
    """What is served is wrong although the probability before rounding is right."""
    output = intercept(model, len(model.graph.output) - 1)
    add(model, helper.make_node("Min", ["true", "top"], [output]), top=np.array(140, np.uint8))


def blank_from_the_fifth_row(model: onnx.ModelProto) -> None:
    """Right alone and in small batches, wrong in the batch that is served."""
    last = len(model.graph.output) - 1
    dtype = helper.tensor_dtype_to_np_dtype(model.graph.output[last].type.tensor_type.elem_type)
    output = intercept(model, last)
    add(
        model,
        helper.make_node("Slice", ["true", "start", "five", "axis"], ["first"]),
        helper.make_node("Slice", ["true", "five", "many", "axis"], ["rest"]),
        helper.make_node("Min", ["rest", "nothing"], ["blank"]),
        helper.make_node("Concat", ["first", "blank"], [output], axis=0),
        start=np.array([0]),
        five=np.array([5]),
        many=np.array([1000]),
        axis=np.array([0]),
        nothing=np.array(0, dtype),
    )


def lowest_instead_of_highest(model: onnx.ModelProto) -> None:
    """The wrong arg-max over right probabilities."""
    node = next(node for node in model.graph.node if node.op_type == "ArgMax")
    node.op_type = "ArgMin"


def swapped_classes(model: onnx.ModelProto) -> None:
    """Two classes have each other's index: the values of the mask, or the places of the probabilities."""
    if len(model.graph.output) == 1:
        output = intercept(model, 0)
        add(model, helper.make_node("Gather", ["true", "order"], [output], axis=1), order=np.array([1, 0, 2, 3]))
        return
    output = intercept(model, 0)
    add(
        model,
        helper.make_node("Cast", ["true"], ["index"], to=onnx.TensorProto.INT64),
        helper.make_node("Gather", ["order", "index"], [output]),
        order=np.array([0, 1, 3, 2, 4, 5], np.uint8),
    )


FAULTS = [
    (SEGMENTATION, scale_one_weight),
    (SEGMENTATION, half_precision_weights),
    (SEGMENTATION, clipped_after_rounding),
    (SEGMENTATION, blank_from_the_fifth_row),
    (SEMANTIC, scale_one_weight),
    (SEMANTIC, without_softmax),
    (SEMANTIC, lowest_instead_of_highest),
    (SEMANTIC, swapped_classes),
    (SEMANTIC, clipped_after_rounding),
    (SEMANTIC, blank_from_the_fifth_row),
    (CLASSIFICATION, scale_one_weight),
    (CLASSIFICATION, without_softmax),
    (CLASSIFICATION, swapped_classes),
    (CLASSIFICATION, blank_from_the_fifth_row),
]


@pytest.mark.parametrize(("task", "perturb"), FAULTS, ids=lambda value: getattr(value, "__name__", value))
def test_perturbed_onnx_is_refused(exported, tmp_path: Path, task: str, perturb: Perturb) -> None:
    there = exported(task)
    model = onnx.load_model(str(there.artefacts["onnx"]))
    perturb(model)
    onnx.save_model(model, str(tmp_path / "model.onnx"))
    report = there.measure("onnx", tmp_path / "model.onnx")
    with pytest.raises(ParityError, match="onnx is not placed"):
        require_parity(report)


@pytest.mark.parametrize(("task", "perturb"), [(SEMANTIC, swapped_classes), (SEMANTIC, lowest_instead_of_highest)])
def test_wrong_classes_show_in_agreement_and_quality_alone(
    exported, tmp_path: Path, task: str, perturb: Perturb
) -> None:
    there = exported(task)
    model = onnx.load_model(str(there.artefacts["onnx"]))
    perturb(model)
    onnx.save_model(model, str(tmp_path / "model.onnx"))
    report = there.measure("onnx", tmp_path / "model.onnx")
    assert report.max_abs_error < 1e-4
    assert report.disagreement > 0.1
    assert report.figure == "mean_iou"
    assert report.quality_difference > 0.1


@every_format
def test_truncated_file_is_refused(exported, tmp_path: Path, name: str) -> None:
    there = exported(CLASSIFICATION)
    path = tmp_path / FORMATS[name].file_name
    path.write_bytes(there.artefacts[name].read_bytes()[:-5000])
    with pytest.raises(ParityError, match="cannot be run"):
        there.measure(name, path)


@every_task
def test_other_networks_torchscript_is_refused(exported, tmp_path: Path, task: str) -> None:
    there = exported(task)
    other = untrained(there.task, seed=1)
    FORMATS["torchscript"].write(other, there.task, {}, tmp_path / "model.pt")
    with pytest.raises(ParityError, match="not placed"):
        require_parity(there.measure("torchscript", tmp_path / "model.pt"))


@every_task
def test_artefact_that_answers_nan_is_refused(exported, tmp_path: Path, task: str) -> None:
    there = exported(task)
    other = untrained(there.task)
    with torch.no_grad():
        next(other.network.parameters()).fill_(float("nan"))
    FORMATS["torchscript"].write(other, there.task, {}, tmp_path / "model.pt")
    assert not there.measure("torchscript", tmp_path / "model.pt").passed


def test_calibration_is_part_of_the_artefact(exported) -> None:
    """Without it the answers differ: the calibrated module passes, the same network without calibration does not."""
    there = exported(CLASSIFICATION)
    plain = Exported(
        there.task, ServingModule(there.module.network, there.task).eval(), there.pictures, there.artefacts
    )
    assert not plain.measure("onnx", there.artefacts["onnx"]).passed


@every_task
def test_onnx_is_one_clean_file(exported, task: str) -> None:
    there = exported(task)
    path = there.artefacts["onnx"]
    model = onnx.load_model(str(path))
    assert [item.name for item in model.graph.input] == [INPUT_NAME]
    assert [item.name for item in model.graph.output] == list(OUTPUT_NAMES[there.task.kind])
    for tensor in (*model.graph.input, *model.graph.output):
        assert tensor.type.tensor_type.shape.dim[0].dim_param == "batch"
    assert {entry.key for entry in model.metadata_props} == {"task", "classes"}
    assert str(Path(__file__).parents[2]).encode() not in path.read_bytes(), "no path of the machine that exported it"
    assert not list(path.parent.glob("*.data"))


@every_task
def test_same_network_gives_the_same_onnx(exported, tmp_path: Path, task: str) -> None:
    """Every byte is equal, so the content's digest is. TorchScript counts a process's traces: see test_export."""
    there = exported(task)
    FORMATS["onnx"].write(untrained(there.task), there.task, {"task": task, "classes": "[]"}, tmp_path / "model.onnx")
    assert (tmp_path / "model.onnx").read_bytes() == there.artefacts["onnx"].read_bytes()


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
