"""TorchScript: traced and frozen. The parity reference among the serving profiles."""

import warnings
import zipfile
from pathlib import Path
from typing import Any

import torch
from torch.jit._trace import TracingCheckError

from export.artefact import Answer, Material, Pixels, Runner, answer_of
from export.errors import ExportError

_PROBABILITY = "probability"


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
        frozen.save(str(path), _extra_files={name: value.encode() for name, value in material.metadata.items()})
    _drop_call_stacks(path)


def load_module(path: Path, device: str | None = None) -> Any:
    """Return the module that a file holds, on a device or where the file says."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", (DeprecationWarning, FutureWarning))
        return torch.jit.load(str(path), map_location=device)  # type: ignore[no-untyped-call]


def load_torchscript(path: Path) -> Runner:
    """Return a function that runs the file on the CPU."""
    module = load_module(path, "cpu")

    def run(pixels: Pixels) -> Answer:
        with torch.inference_mode():
            return answer_of(module, torch.from_numpy(pixels))

    return run


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
