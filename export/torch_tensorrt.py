"""Torch-TensorRT: TensorRT engines inside a TorchScript module, for Triton's pytorch backend. Extra `tensorrt`.

For networks with a part that TensorRT does not take: that part stays PyTorch. The others are better served as plans.
"""

import importlib
from pathlib import Path
from typing import Any

import torch

from export.artefact import Answer, Material, Pixels, Runner, served_only
from export.errors import ExportError
from export.tensorrt import shape_profile
from export.torchscript import load_module


def write_torch_tensorrt(material: Material, path: Path) -> None:
    """Compile what TensorRT takes of the network in half precision, and save the whole as TorchScript.

    Raises:
        ExportError: no GPU, no torch_tensorrt, or a network that it cannot compile.
    """
    library = _require()
    shapes = shape_profile(material.task)
    inputs = library.Input(
        min_shape=shapes.shape(shapes.minimum),
        opt_shape=shapes.shape(shapes.optimum),
        max_shape=shapes.shape(shapes.maximum),
        dtype=torch.uint8,
    )
    module = material.module.eval().cuda()
    try:
        # Strongly typed: autocast chooses the precision of each operator, TensorRT takes it.
        options = {"enable_autocast": True, "autocast_low_precision_type": torch.float16}
        compiled = library.compile(module, ir="dynamo", inputs=[inputs], **options)
        example = torch.zeros(shapes.shape(shapes.optimum), dtype=torch.uint8, device="cuda")
        library.save(compiled, str(path), output_format="torchscript", arg_inputs=[example])
    except (RuntimeError, ValueError, TypeError) as error:
        raise ExportError(f"Torch-TensorRT cannot compile the network: {str(error).splitlines()[0]}") from error
    finally:
        material.module.cpu()


def load_torch_tensorrt(path: Path) -> Runner | None:
    """Return a function that runs the file on the GPU, or None without one."""
    if not torch.cuda.is_available():
        return None
    _require()
    module = load_module(path).cuda()

    def run(pixels: Pixels) -> Answer:
        with torch.inference_mode():
            return served_only(module(torch.from_numpy(pixels).cuda()))

    return run


def _require() -> Any:
    if not torch.cuda.is_available():
        raise ExportError(
            "Torch-TensorRT compiles on the GPU and there is none here; leave torch_tensorrt out of formats="
        )
    try:
        return importlib.import_module("torch_tensorrt")
    except ImportError as error:
        raise ExportError(f"Torch-TensorRT is not installed ({error}); pip install 'fovea[tensorrt]'") from error
