"""The hand-written configurations, held to the TaskSpecs, to each other and to what export writes."""

import json
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import onnx
import pytest
from doors import Release
from google.protobuf import text_format
from tritonclient.grpc import model_config_pb2

from export.artefact import INPUT_NAME, OUTPUT_NAMES
from export.formats import FORMATS
from export.place import served_batch
from export.tensorrt import SCRIPT, plan_name
from tasks import TASKS, Kind, TaskSpec

REPOSITORY = Path(__file__).parents[2] / "model_repository"
CONFIGS = sorted(REPOSITORY.glob("*/config.pbtxt")) + sorted(REPOSITORY.glob("*/configs/*.pbtxt"))
# Fields that came after Triton 2.51 (24.10); the embedded server rejects a file that has one.
TOO_NEW = ("max_inflight_requests", "model_metrics")
UINT8, INT32, FP32 = model_config_pb2.TYPE_UINT8, model_config_pb2.TYPE_INT32, model_config_pb2.TYPE_FP32
INT64 = model_config_pb2.TYPE_INT64
ONNX_TYPES = {UINT8: onnx.TensorProto.UINT8, FP32: onnx.TensorProto.FLOAT}
every_config = pytest.mark.parametrize("path", CONFIGS, ids=lambda path: str(path.relative_to(REPOSITORY)))
every_task = pytest.mark.parametrize("task", TASKS.values(), ids=TASKS)


def parse(path: Path) -> Any:
    return text_format.Parse(path.read_text(), model_config_pb2.ModelConfig())


def tensors(specs: Iterable[Any]) -> dict[str, tuple[int, list[int]]]:
    return {spec.name: (spec.data_type, list(spec.dims)) for spec in specs}


def with_batch(config: Any, specs: Iterable[Any]) -> dict[str, tuple[int, list[int]]]:
    batch = [-1] if config.max_batch_size else []
    return {name: (kind, batch + dims) for name, (kind, dims) in tensors(specs).items()}


def fits(given: list[int], taken: list[int]) -> bool:
    return len(given) == len(taken) and all(-1 in pair or pair[0] == pair[1] for pair in zip(given, taken, strict=True))


@every_config
def test_parses_and_is_named_after_its_folder(path: Path) -> None:
    config = parse(path)
    model = path.parent if path.name == "config.pbtxt" else path.parents[1]
    assert config.name == model.name


@every_config
def test_loads_in_the_container_as_well(path: Path) -> None:
    text = path.read_text()
    assert not [field for field in TOO_NEW if re.search(rf"^\s*{field}", text, re.MULTILINE)]
    assert parse(path).backend in ("", "python", "onnxruntime", "pytorch", "tensorrt", "openvino")
    assert "pytriton" not in text


@every_config
def test_says_why(path: Path) -> None:
    assert path.read_text().count("#") >= 2


WRITTEN = {name for each in FORMATS.values() for name in (each.file_name, *each.companions)}


@every_config
def test_names_only_files_that_are_there_or_exported(path: Path) -> None:
    config = parse(path)
    if config.platform == "ensemble":
        assert not config.default_model_filename
    elif config.backend == "python":
        assert (REPOSITORY / config.name / "1" / "model.py").is_file()
    elif config.backend == "tensorrt":
        assert SCRIPT in WRITTEN
        assert not config.default_model_filename, "a plan of another GPU would be loaded"
        assert dict(config.cc_model_filenames) == {each: plan_name(each) for each in config.cc_model_filenames}
        assert {"7.5", "8.0", "8.6", "8.9", "9.0", "10.0", "12.0"} <= set(config.cc_model_filenames)
    else:
        assert config.default_model_filename in WRITTEN


@every_task
def test_every_task_has_every_profile(task: TaskSpec) -> None:
    profiles = {path.stem for path in (REPOSITORY / f"{task.name}_network").glob("configs/*.pbtxt")}
    assert profiles == {"cpu", "torchscript", "tensorrt"}


@every_task
def test_every_format_by_default_is_served_by_a_profile(task: TaskSpec) -> None:
    network = REPOSITORY / f"{task.name}_network"
    named = {parse(path).default_model_filename for path in [network / "config.pbtxt", *network.glob("configs/*")]}
    assert {each.file_name for each in FORMATS.values() if each.by_default} <= named


@pytest.mark.slow
@every_task
def test_ensemble_names_are_those_of_the_exported_graph(task: TaskSpec, release: Release) -> None:
    """From the task through the configurations to the graph: names, types and shapes."""
    graph = onnx.load_model(str(release.repository / f"{task.name}_network" / "1" / "model.onnx")).graph
    config = parse(REPOSITORY / f"{task.name}_network" / "config.pbtxt")
    for described, found in ((config.input, graph.input), (config.output, graph.output)):
        assert {name: ONNX_TYPES[kind] for name, (kind, _) in tensors(described).items()} == {
            item.name: item.type.tensor_type.elem_type for item in found
        }
        for spec, item in zip(described, found, strict=True):
            shape = [dimension.dim_value for dimension in item.type.tensor_type.shape.dim]
            assert shape[1:] == list(spec.dims)


@every_task
def test_profiles_of_a_model_have_the_same_tensors(task: TaskSpec) -> None:
    network = REPOSITORY / f"{task.name}_network"
    default = parse(network / "config.pbtxt")
    for path in network.glob("configs/*"):
        assert tensors(parse(path).input) == tensors(default.input), path.name
        assert tensors(parse(path).output) == tensors(default.output), path.name
        assert parse(path).max_batch_size == default.max_batch_size, path.name


def network_outputs(task: TaskSpec) -> dict[str, tuple[int, list[int]]]:
    classes = task.kind is Kind.CLASSIFICATION
    spec = (FP32, [len(task.classes)]) if classes else (UINT8, [task.size_px, task.size_px])
    return dict.fromkeys(OUTPUT_NAMES[task.kind], spec)


@every_task
def test_network_takes_and_gives_what_the_task_says(task: TaskSpec) -> None:
    config = parse(REPOSITORY / f"{task.name}_network" / "config.pbtxt")
    assert tensors(config.input) == {INPUT_NAME: (UINT8, [task.size_px, task.size_px, 3])}
    assert tensors(config.output) == network_outputs(task)
    assert config.HasField("dynamic_batching")
    assert config.max_batch_size == served_batch(task.name), "the parity gate compares batches of the served size"
    assert [warmup.batch_size for warmup in config.model_warmup] == [1, config.max_batch_size]
    for warmup in config.model_warmup:
        assert {name: (item.data_type, list(item.dims)) for name, item in warmup.inputs.items()} == tensors(
            config.input
        )


@every_task
def test_network_names_end_in_their_place(task: TaskSpec) -> None:
    """The pytorch backend sorts by the index; a gap or a swap would hand a caller the wrong tensor."""
    assert [int(name.rpartition("__")[2]) for name in OUTPUT_NAMES[task.kind]] == list(
        range(len(OUTPUT_NAMES[task.kind]))
    )


@every_task
def test_ensemble_answers_as_the_kind_says(task: TaskSpec) -> None:
    """What clients read into their own types: tests/clients hold them to the same."""
    config = parse(REPOSITORY / task.name / "config.pbtxt")
    plane = (UINT8, [-1, -1])
    expected = {"mask": plane, "probability": plane}
    if task.kind is Kind.CLASSIFICATION:
        expected = {"label": (INT32, [1]), "probability": (FP32, [len(task.classes)])}
    assert tensors(config.output) == expected | {"server_us": (INT64, [3])}
    assert tensors(config.input) == {"image": (model_config_pb2.TYPE_STRING, [1])}


@every_task
def test_ensemble_is_wired_end_to_end(task: TaskSpec) -> None:
    """Every tensor is produced once before it is used, and both ends agree on type and shape."""
    ensemble = parse(REPOSITORY / task.name / "config.pbtxt")
    known = with_batch(ensemble, ensemble.input)
    for step in ensemble.ensemble_scheduling.step:
        config = parse(REPOSITORY / step.model_name / "config.pbtxt")
        takes, gives = with_batch(config, config.input), with_batch(config, config.output)
        assert set(step.input_map) == set(takes), f"{step.model_name} needs all of its inputs"
        for name, source in step.input_map.items():
            assert known[source][0] == takes[name][0], f"{step.model_name}.{name} has another type than {source}"
            assert fits(known[source][1], takes[name][1]), f"{step.model_name}.{name} has another shape than {source}"
        for name, target in step.output_map.items():
            assert target not in known, f"{target} is produced twice"
            known[target] = gives[name]
    for name, (kind, dims) in with_batch(ensemble, ensemble.output).items():
        assert known[name][0] == kind
        assert fits(known[name][1], dims)


@every_task
def test_ensemble_describes_the_task(task: TaskSpec) -> None:
    parameters = parse(REPOSITORY / task.name / "config.pbtxt").parameters
    said = {name: parameter.string_value for name, parameter in parameters.items()}
    assert said["task"] == task.name
    assert said["kind"] == task.kind
    assert json.loads(said["classes"]) == [{"name": info.name, "colour": list(info.colour)} for info in task.classes]
    assert int(said["max_image_bytes"]) == task.limits.max_bytes
    assert int(said["max_side_px"]) == task.limits.max_side_px
    assert int(said["max_pixels"]) == task.limits.max_pixels
    assert int(said["size_px"]) == task.size_px


@every_task
def test_processing_models_know_their_task(task: TaskSpec) -> None:
    for part in ("preprocess", "postprocess"):
        config = parse(REPOSITORY / f"{task.name}_{part}" / "config.pbtxt")
        assert config.parameters["task"].string_value == task.name
        assert config.parameters["metrics"].string_value == "on"
        assert config.max_batch_size == 0


@pytest.mark.parametrize("part", ["preprocess", "postprocess"])
def test_code_is_the_same_for_every_task(part: str) -> None:
    assert len({(REPOSITORY / f"{task}_{part}" / "1" / "model.py").read_bytes() for task in TASKS}) == 1


def test_no_model_stands_beside_the_tasks() -> None:
    parts = ("", "_preprocess", "_network", "_postprocess")
    expected = {task + part for task in TASKS for part in parts}
    assert {path.parent.name for path in REPOSITORY.glob("*/config.pbtxt")} == expected


def test_wiring_test_notices_a_wrong_shape() -> None:
    assert not fits([-1, 512, 512], [-1, 512, 511])
    assert not fits([1, 512], [1, 512, 512])
