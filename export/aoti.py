"""AOTInductor: the network compiled to native code, for Triton's pytorch backend (26.03 and later). Experimental.

It is to succeed TorchScript, which PyTorch has announced to go. A package runs only on the kind of processor or GPU,
and with the PyTorch, that it was compiled for: compile it in the container of Triton's own release.
"""

import shutil
import warnings
from pathlib import Path

import torch

from export.artefact import Answer, Material, Pixels, Runner, served_only
from export.errors import ExportError
from export.place import served_batch


def write_aoti(material: Material, path: Path) -> None:
    """Compile the network for this machine's processor and write one package, for batches up to the served size.

    Raises:
        ExportError: no C++ compiler, or a network that cannot be captured or compiled.
    """
    if shutil.which("g++") is None and shutil.which("c++") is None:
        raise ExportError(
            "AOTInductor compiles C++ and there is no g++ here; install it, or leave aoti out of formats="
        )
    size_px = material.task.size_px
    example = torch.zeros(2, size_px, size_px, 3, dtype=torch.uint8)
    batch = torch.export.Dim("batch", min=1, max=served_batch(material.task.name))
    try:
        with torch.no_grad(), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            captured = torch.export.export(material.module.eval(), (example,), dynamic_shapes=({0: batch},))
            torch._inductor.aoti_compile_and_package(captured, package_path=str(path))
    # Whatever the compiler's many layers raise, it is the network that they could not take.
    except Exception as error:
        raise ExportError(f"the network cannot be compiled by AOTInductor: {str(error).splitlines()[0]}") from error


def load_aoti(path: Path) -> Runner:
    """Return a function that runs the package on the CPU."""
    package = torch._inductor.aoti_load_package(str(path))

    def run(pixels: Pixels) -> Answer:
        with torch.inference_mode():
            return served_only(package(torch.from_numpy(pixels)))

    return run
