"""A trained network gone bad: the same architecture and cost, other answers. What a challenger can be better than."""

import json
import shutil
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file

from tasks.checksums import sha256_of

_NOISE = 1.0


def worn(model: Path, to: Path) -> Path:
    """Copy a model folder with every weight multiplied by noise, and return the copy."""
    shutil.copytree(model, to)
    weights = to / "model.safetensors"
    generator = torch.Generator().manual_seed(0)
    noisy = {
        name: tensor * (1 + _NOISE * torch.randn(tensor.shape, generator=generator)) if tensor.ndim == 4 else tensor
        for name, tensor in load_file(weights).items()
    }
    save_file(noisy, weights)
    card = json.loads((to / "model.json").read_text())
    (to / "model.json").write_text(json.dumps(card | {"weights_sha256": sha256_of(weights)}))
    return to
