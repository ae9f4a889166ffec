"""TorchScript: traced and frozen. The parity reference among the serving profiles."""

import warnings
import zipfile
from pathlib import Path
from typing import Any

import torch
from torch.jit._trace import TracingCheckError
from torch.utils._python_dispatch import TorchDispatchMode

from export.artefact import Answer, Layers, Material, Pixels, Runner, answer_of
from export.divergence import layer_names
from export.errors import ExportError

_PROBABILITY = "probability"
# A file beside the code in the archive: the network's layers in the order in which it runs them.
_LAYERS = "layers"


def write_torchscript(material: Material, path: Path) -> None:
    """Trace `forward` (served) and `probability` (measured by the parity gate), freeze both and save one file.

    Raises:
        ExportError: the trace depends on its example, so another batch would be answered wrongly.
    """
    size_px = material.task.size_px
    example, other = (torch.zeros(batch, size_px, size_px, 3, dtype=torch.uint8) for batch in (2, 3))
    with warnings.catch_warnings():
        # TorchScript is announced to go; Triton's pytorch backend still serves it, and nothing else in a release does.
        warnings.simplefilter("ignore", (DeprecationWarning, FutureWarning))
        try:
            traced = torch.jit.trace_module(  # type: ignore[no-untyped-call]
                material.module.eval(),
                {"forward": example, _PROBABILITY: example},
                check_inputs=[{"forward": other, _PROBABILITY: other}],
            )
        except TracingCheckError as error:
            raise ExportError(f"the network's trace depends on its example input: {error}") from error
        frozen = torch.jit.freeze(traced, preserved_attrs=[_PROBABILITY])
        told = {**material.metadata, _LAYERS: " ".join(layer_names(material.module, example[0].numpy()))}
        frozen.save(str(path), _extra_files={name: value.encode() for name, value in told.items()})
    _drop_call_stacks(path)


def load_module(path: Path, device: str | None = None, told: dict[str, Any] | None = None) -> Any:
    """Return the module that a file holds, on a device or where the file says; `told` gets what the file says of it."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", (DeprecationWarning, FutureWarning))
        return torch.jit.load(str(path), map_location=device, _extra_files=told)  # type: ignore[no-untyped-call]


def load_torchscript(path: Path) -> Runner:
    """Return a function that runs the file on the CPU."""
    module = load_module(path, "cpu")

    def run(pixels: Pixels) -> Answer:
        with torch.inference_mode():
            return answer_of(module, torch.from_numpy(pixels))

    return run


class _Outputs(TorchDispatchMode):
    """Keeps what every convolution and matrix product answers while it is on."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.found: list[torch.Tensor] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        answer = func(*args, **(kwargs or {}))
        if func.overloadpacket.__name__ in {"_convolution", "convolution", "addmm", "mm", "linear"}:
            self.found.append(answer.clone())  # an activation may work in place
        return answer


def torchscript_layers(path: Path, picture: Pixels) -> Layers:
    """Return what the layers of the file answer to one picture, uint8 (size, size, 3), before their activations.

    Nothing where the file runs another number of layers than the network: freezing drops what no answer needs, and a
    layer may run twice.
    """
    told: dict[str, Any] = {_LAYERS: b""}
    module = load_module(path, "cpu", told)
    with torch.no_grad(), _Outputs() as outputs:
        module(torch.from_numpy(picture[None]))
    names = told[_LAYERS].decode().split()
    if len(names) != len(outputs.found):
        return {}
    return {name: output.numpy() for name, output in zip(names, outputs.found, strict=True)}


def _drop_call_stacks(path: Path) -> None:
    """Remove where each operation was traced: paths of this machine and line numbers, and an id made from them.

    Nothing needs them to run, and without them a release does not change with the line that called this.
    """
    partial = path.with_suffix(".partial")
    with zipfile.ZipFile(path) as traced, zipfile.ZipFile(partial, "w") as clean:
        for entry in traced.infolist():
            if not entry.filename.endswith((".debug_pkl", ".data/serialization_id")):
                clean.writestr(entry, traced.read(entry))
    partial.replace(path)
