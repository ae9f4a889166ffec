"""TensorRT plans: built from strongly typed ONNX on the GPU that will run them, and nowhere else.

So what a release carries is the script that builds the plan on the node. Where this machine has a GPU and TensorRT, the
plan is built, compared and placed as well. Where it has neither, TensorRT-RTX, which builds engines on a CPU, tells
whether TensorRT would take the graph.
"""

import hashlib
import importlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jinja2
import numpy as np
import torch

from export.artefact import INPUT_NAME, Answer, Material, Pixels, Runner, served_only
from export.errors import ExportError
from export.place import served_batch
from tasks import TaskSpec
from tasks.checksums import sha256_of

SCRIPT = "build_plan.sh"
# What a plan is built from; INT8 where somebody prefers it.
SOURCE = "model.fp16.onnx"
# The first release of NVIDIA's containers that is tested with TensorRT 11.
CONTAINER = "26.07"
# Plans are only built: timing them is the load test's part.
FLAGS = "--skipInference --builderOptimizationLevel=3"
_RTX = "tensorrt_rtx_bindings"


@dataclass(frozen=True)
class ShapeProfile:
    """The batch sizes that a plan accepts, and the one that it is fastest for."""

    minimum: int
    optimum: int
    maximum: int
    size_px: int

    def shape(self, batch: int) -> tuple[int, int, int, int]:
        """Return the input's shape at a batch size."""
        return batch, self.size_px, self.size_px, 3

    def words(self) -> str:
        """Return it as trtexec takes it."""
        named = (("min", self.minimum), ("opt", self.optimum), ("max", self.maximum))
        return " ".join(f"--{name}Shapes={INPUT_NAME}:{'x'.join(map(str, self.shape(batch)))}" for name, batch in named)


def shape_profile(task: TaskSpec) -> ShapeProfile:
    """Return the shapes that the task's network is served with: one picture up to a full batch."""
    largest = served_batch(task.name)
    return ShapeProfile(1, max(1, largest // 2), largest, task.size_px)


def plan_name(capability: str) -> str:
    """Return the plan's file name for a compute capability such as `9.0`."""
    return f"model.sm{capability.replace('.', '')}.plan"


def cache_key(onnx_sha256: str, version: str, sku: str, capability: str, profile: str, flags: str) -> str:
    """Return what a plan depends on as one digest; `build_plan.sh` computes the same."""
    return hashlib.sha256(
        "".join(f"{word}\n" for word in (onnx_sha256, version, sku, capability, profile, flags)).encode()
    ).hexdigest()


def write_tensorrt(material: Material, path: Path) -> None:
    """Write the script that builds the plan; and the plan, where there are a GPU and TensorRT.

    Raises:
        ExportError: TensorRT does not take the graph, or cannot build the plan.
    """
    source = path.with_name(SOURCE)
    text = _template().render(
        task=material.task.name,
        container=CONTAINER,
        onnx=SOURCE,
        sha256=sha256_of(source),
        profile=shape_profile(material.task).words(),
        flags=FLAGS,
    )
    path.write_text(text + "\n")
    path.chmod(0o755)
    for stale in path.parent.glob("model.sm*.plan"):
        stale.unlink()
    if (trt := _gpu_library()) is not None:
        plan = build_engine(trt, source, shape_profile(material.task))
        path.with_name(plan_name(_capability())).write_bytes(plan)
    elif (rtx := _library(_RTX)) is not None:
        build_engine(rtx, source, shape_profile(material.task))


def build_engine(trt: Any, onnx: Path, profile: ShapeProfile) -> bytes:
    """Return the serialised engine of an ONNX file.

    Args:
        trt: the module of TensorRT, or of TensorRT-RTX, which needs no GPU to build.
        onnx: strongly typed.
        profile: the shapes that it will be run with.

    Raises:
        ExportError: names the layer that the parser refuses, or why the builder gave up.
    """
    logger = _Log(trt)
    builder = trt.Builder(logger.native)
    network = builder.create_network(0)
    parser = trt.OnnxParser(network, logger.native)
    if not parser.parse(onnx.read_bytes()):
        refused = parser.get_error(0)
        raise ExportError(
            f"TensorRT refuses {onnx.name} at layer {refused.node_name()} ({refused.node_operator()}): "
            f"{_one_line(refused.desc())}"
        )
    shapes = builder.create_optimization_profile()
    shapes.set_shape(INPUT_NAME, *(profile.shape(each) for each in (profile.minimum, profile.optimum, profile.maximum)))
    config = builder.create_builder_config()
    config.add_optimization_profile(shapes)
    engine = builder.build_serialized_network(network, config)
    if engine is None:
        raise ExportError(f"TensorRT cannot build an engine from {onnx.name}: {logger.last}")
    return bytes(engine)


def load_tensorrt(path: Path) -> Runner | None:
    """Return a function that runs the plan beside the script, or None without a plan, a GPU or TensorRT."""
    trt = _gpu_library()
    plan = path.with_name(plan_name(_capability())) if trt is not None else path
    if trt is None or not plan.is_file():
        return None
    logger = _Log(trt)
    engine = trt.Runtime(logger.native).deserialize_cuda_engine(plan.read_bytes())
    context = engine.create_execution_context()
    names = [engine.get_tensor_name(index) for index in range(engine.num_io_tensors)]
    outputs = [name for name in names if name != INPUT_NAME]

    def run(pixels: Pixels) -> Answer:
        context.set_input_shape(INPUT_NAME, pixels.shape)
        tensors = {INPUT_NAME: torch.from_numpy(pixels).cuda()}
        for name in outputs:
            dtype = getattr(torch, np.dtype(trt.nptype(engine.get_tensor_dtype(name))).name)
            tensors[name] = torch.empty(tuple(context.get_tensor_shape(name)), dtype=dtype, device="cuda")
        for name, tensor in tensors.items():
            context.set_tensor_address(name, tensor.data_ptr())
        stream = torch.cuda.current_stream()
        context.execute_async_v3(stream.cuda_stream)
        stream.synchronize()
        return served_only([tensors[name] for name in outputs])

    return run


class _Log:
    """TensorRT's messages; its last error says what its calls do not."""

    def __init__(self, trt: Any) -> None:
        self.last = "it does not say why"
        outer = self

        class Native(trt.ILogger):  # type: ignore[misc]
            def __init__(self) -> None:
                trt.ILogger.__init__(self)

            def log(self, severity: Any, message: str) -> None:
                # Without a driver it notes at every step that there is none.
                if severity <= trt.ILogger.Severity.ERROR and "catchCudaError" not in message:
                    outer.last = _one_line(message)

        self.native = Native()


def _one_line(message: str) -> str:
    return " ".join(line for line in message.splitlines() if "catchCudaError" not in line)[:300]


def _gpu_library() -> Any:
    """Return TensorRT's module where it can build and run plans, else None; before 11 it ignores the graph's types."""
    library = _library("tensorrt") if torch.cuda.is_available() else None
    return library if library is not None and int(library.__version__.partition(".")[0]) >= 11 else None


def _library(name: str) -> Any:
    try:
        return importlib.import_module(name)
    except ImportError:
        return None


def _capability() -> str:
    major, minor = torch.cuda.get_device_capability()
    return f"{major}.{minor}"


def _template() -> jinja2.Template:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent),
        undefined=jinja2.StrictUndefined,
        autoescape=False,  # noqa: S701 - a shell script, of figures that we computed
    )
    return environment.get_template(f"{SCRIPT}.j2")
