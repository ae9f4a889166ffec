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
from untrained import drawn_samples, model_folder, untrained

from export.artefact import INPUT_NAME, OUTPUT_NAMES, Material, Pixels, answer_of
from export.comparison import Expected, expect
from export.divergence import describe, layer_errors
from export.errors import ParityError
from export.export import write_and_measure
from export.formats import FORMATS
from export.onnx import onnx_layers
from export.page import write_page
from export.parity import ParityReport, measure_parity, require_parity
from export.pictures import Picture, of_sample, read_pictures
from tasks import TASKS, Kind, TaskSpec
from tasks.checksums import sha256_of
from tasks.processing import Classification, preprocess
from training.evaluation import predict
from training.samples import Sample
from training.serving_module import ServingModule

pytestmark = pytest.mark.slow
BATCH = 6
SEGMENTATION, SEMANTIC, CLASSIFICATION = "vessels", "dubai_aerial", "eye_disease"


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


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Exported]:
    """Writes a task's artefacts when they are first asked for."""
    done: dict[str, Exported] = {}

    def export(name: str) -> Exported:
        if name not in done:
            task, folder = TASKS[name], tmp_path_factory.mktemp(name)
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
            done[name] = Exported(task, module, pictures, expected, artefacts, reports)
        return done[name]

    return export


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


# Those that this machine runs and writes in seconds; test_tensorrt and test_aoti see to the others.
COMPARED = [name for name in FORMATS if name not in ("tensorrt", "torch_tensorrt", "aoti")]
QUANTISED = ("onnx_int8", "openvino")
ROUGH = ("onnx_fp16", *QUANTISED)
every_format = pytest.mark.parametrize("name", COMPARED)
every_onnx = pytest.mark.parametrize("name", [name for name in COMPARED if name.startswith("onnx")])
every_task = pytest.mark.parametrize("task", TASKS)


@every_format
@every_task
def test_written_artefact_passes(exported, task: str, name: str) -> None:
    there = exported(task)
    report = there.reports[name]
    assert report.images == len(report.pictures) == len(there.pictures) > 1
    assert report.sha256 == sha256_of(there.artefacts[name])
    beside = {each: sha256_of(there.artefacts[name].with_name(each)) for each in FORMATS[name].companions}
    assert report.summary()["companions_sha256"] == beside
    assert (name == "openvino") == ("model.bin" in beside)
    if name in QUANTISED:
        assert 1e-4 < report.mean_abs_error < 0.1
        return
    require_parity(report)
    assert report.max_abs_error < (1 if name in ROUGH else 2e-5)
    half = onnx.load_model(str(there.artefacts["onnx_fp16"]))
    kept = there.reports["onnx_fp16"].float_layers
    weights = {item.data_type for item in half.graph.initializer if len(item.dims) == 4}
    assert weights == {onnx.TensorProto.FLOAT16} or kept
    assert sum(node.op_type == "Cast" for node in half.graph.node) <= 4 + 2 * len(kept), "casts only at the edges"


@every_format
@every_task
def test_layers_are_those_of_the_source(exported, task: str, name: str) -> None:
    there = exported(task)
    ask = FORMATS[name].layers
    if ask is None:
        assert name == "torchscript"
        return
    picture = there.pictures[0].fitted.pixels
    errors = layer_errors(there.module, ask(there.artefacts[name], picture), picture)
    modules = dict(there.module.network.named_modules())
    assert len(errors) > 3
    assert {error.layer for error in errors} <= set(modules)
    assert max(error.relative for error in errors) < (1.0 if name in ROUGH else 1e-4)


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
    for companion in FORMATS[name].companions:
        path.with_name(companion).write_bytes(there.artefacts[name].with_name(companion).read_bytes())
    with pytest.raises(ParityError, match="cannot be run"):
        there.measure(name, path)


@every_task
def test_other_networks_torchscript_is_refused(exported, tmp_path: Path, task: str) -> None:
    there = exported(task)
    other = untrained(there.task, seed=1)
    assert there.measure("torchscript", there.artefacts["torchscript"]).passed
    FORMATS["torchscript"].write(material(other, there.task), tmp_path / "model.pt")
    with pytest.raises(ParityError, match="not placed"):
        require_parity(there.measure("torchscript", tmp_path / "model.pt"))


@every_task
def test_artefact_that_answers_nan_is_refused(exported, tmp_path: Path, task: str) -> None:
    there = exported(task)
    other = untrained(there.task)
    with torch.no_grad():
        next(other.network.parameters()).fill_(float("nan"))
    FORMATS["torchscript"].write(material(other, there.task), tmp_path / "model.pt")
    assert not there.measure("torchscript", tmp_path / "model.pt").passed


def test_calibration_is_part_of_the_artefact(exported) -> None:
    """Without it the answers differ: the calibrated module passes, the same network without calibration does not."""
    there = exported(CLASSIFICATION)
    module = ServingModule(there.module.network, there.task).eval()
    plain = replace(there, module=module, expected=expect(module, there.pictures, there.task))
    assert not plain.measure("onnx", there.artefacts["onnx"]).passed


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


@pytest.mark.parametrize("name", [name for name in COMPARED if name != "torchscript"])
@every_task
def test_same_network_gives_the_same_file(exported, tmp_path: Path, task: str, name: str) -> None:
    """Every byte is equal, so the content's digest is. TorchScript counts a process's traces: see test_export."""
    there = exported(task)
    kept = frozenset(there.reports[name].float_layers)
    again = replace(material(untrained(there.task), there.task), kept_float=kept)
    FORMATS["onnx"].write(again, tmp_path / "model.onnx")
    FORMATS[name].write(again, tmp_path / FORMATS[name].file_name)
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


def test_report_names_the_layer_that_diverges(exported, tmp_path: Path) -> None:
    """One weight is off: the layers before it agree, and the report says which one does not."""
    there = exported(SEGMENTATION)
    model = onnx.load_model(str(there.artefacts["onnx"]))
    scale_one_weight(model)
    onnx.save_model(model, str(tmp_path / "model.onnx"))
    third = [node.name for node in model.graph.node if node.op_type == "Conv"][2]
    picture = there.pictures[0].fitted.pixels
    errors = layer_errors(there.module, onnx_layers(tmp_path / "model.onnx", picture), picture)
    assert f"the first layer that diverges is {third}," in describe(errors, FORMATS["onnx"].budget.layer_error)


def test_report_says_if_no_layer_diverges(exported, tmp_path: Path) -> None:
    there = exported(SEGMENTATION)
    picture = there.pictures[0].fitted.pixels
    errors = layer_errors(there.module, onnx_layers(there.artefacts["onnx"], picture), picture)
    assert "lies behind the last one, head.0" in describe(errors, FORMATS["onnx"].budget.layer_error)


def test_layers_that_overflow_in_half_precision_stay_float(tmp_path: Path) -> None:
    """An activation above 65,504 is infinite in FP16; islands of FP32 around it save the artefact."""
    task = TASKS[SEGMENTATION]
    module = untrained(task)
    first, second = [layer for layer in module.network.modules() if isinstance(layer, torch.nn.BatchNorm2d)][:2]
    with torch.no_grad():
        first.weight *= 3e6
        first.bias *= 3e6
        second.running_mean *= 3e6
        second.running_var *= 3e6**2
    pictures = [agreed(sample, module, task) for sample in drawn_samples(task, seed=1)]
    expected, said = expect(module, pictures, task), []
    write_and_measure("onnx", material(module, task), tmp_path, expected, said.append)
    report = write_and_measure("onnx_fp16", material(module, task), tmp_path, expected, said.append)
    assert report is not None
    require_parity(report)
    assert "stem.0" in report.float_layers
    assert any("layers in FP32" in line for line in said)


def test_page_shows_every_format_and_the_worst_picture(exported, tmp_path: Path) -> None:
    there = exported(SEGMENTATION)
    reports = [there.reports["onnx"], replace(there.reports["onnx_int8"], disagreement=0.9, diverges="it <broke>")]
    artefacts = {name: there.artefacts[name] for name in ("onnx", "onnx_int8")}
    write_page(reports, artefacts, there.expected, there.task, tmp_path / "parity.html")
    text = (tmp_path / "parity.html").read_text()
    assert "it &lt;broke&gt;" in text
    assert text.count("data:image/png;base64,") == 4
    assert text.count(">refused<") == text.count(">passed<") == 1
    assert str(tmp_path) not in text


def test_few_pictures_are_turned(tmp_path: Path) -> None:
    """Quarter turns and mirror images, truth and field of view with them, until there are enough."""
    task = TASKS[SEGMENTATION]
    folder = model_folder(task, tmp_path / "model")
    pictures = read_pictures(folder, None, task, enough=30)
    plain = [picture for picture in pictures if "turn" not in picture.name]
    assert len(plain) == 4
    assert len(pictures) == 32
    assert len({picture.fitted.pixels.tobytes() for picture in pictures}) == 32
    first = [picture for picture in pictures if picture.name.startswith(plain[0].name)]
    assert len({int(picture.truth.sum()) for picture in first}) == 1
    assert {picture.truth.shape for picture in first} == {plain[0].truth.shape, plain[0].truth.shape[::-1]}
    assert read_pictures(folder, None, task, enough=3)[0].name == plain[0].name
