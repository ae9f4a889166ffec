"""Where an artefact begins to differ: its layers' outputs beside those of the trained network, for one picture."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from export.artefact import Layers, Pixels
from training.serving_module import ServingModule

_WITH_WEIGHTS = (nn.Conv2d, nn.ConvTranspose2d, nn.Linear)


@dataclass(frozen=True)
class LayerError:
    """A layer's mean absolute error / mean absolute value of its output; NaN or infinite if its output is."""

    layer: str
    relative: float


def layer_errors(module: ServingModule, found: Layers, picture: Pixels) -> list[LayerError]:
    """Return the error of every layer that both have, in the order in which the network runs them.

    Args:
        module: the trained network.
        found: what an artefact's layers answer to the picture.
        picture: uint8 (size, size, 3).
    """
    expected = _outputs(module, picture)
    return [
        LayerError(name, min(_relative(each, found[name]) for each in candidates))
        for name, candidates in expected.items()
        if name in found and any(each.shape == found[name].shape for each in candidates)
    ]


def layer_names(module: ServingModule, picture: Pixels) -> list[str]:
    """Return the names of the layers with weights, in the order in which the network runs them."""
    return list(_outputs(module, picture))


def describe(errors: list[LayerError], limit: float) -> str:
    """Return a clause that names the first layer over the limit, or says that none is."""
    if not errors:
        return "its layers could not be told apart"
    first = next((each for each in errors if not each.relative <= limit), None)
    if first is None:
        worst = max(errors, key=lambda each: each.relative)
        return (
            f"no single layer diverges (the largest relative error is {worst.relative:.1e}, of {worst.layer}): what "
            f"differs lies behind the last one, {errors[-1].layer}"
        )
    return f"the first layer that diverges is {first.layer}, with a relative error of {first.relative:.1e}"


def worst_layers(errors: list[LayerError]) -> list[str]:
    """Return the layers by what they add to the error of what comes before them, the worst first."""
    before = [0.0, *(each.relative for each in errors[:-1])]
    added = {each.layer: _finite(each.relative - last) for each, last in zip(errors, before, strict=True)}
    return sorted(added, key=lambda layer: -added[layer])


def _outputs(module: ServingModule, picture: Pixels) -> dict[str, list[npt.NDArray[np.float32]]]:
    """Return by layer its output, and that of the normalisation behind it: exporters fold it into the layer."""
    outputs: dict[str, list[npt.NDArray[np.float32]]] = {}
    made: dict[int, str] = {}
    kept: list[torch.Tensor] = []  # so that no address is used twice

    def watch(name: str, layer: nn.Module) -> torch.utils.hooks.RemovableHandle:
        def hook(_: nn.Module, inputs: tuple[torch.Tensor, ...], output: torch.Tensor) -> None:
            kept.append(output)
            if isinstance(layer, nn.BatchNorm2d):
                name_before = made.get(id(inputs[0]))
                if name_before is not None:
                    outputs[name_before].append(output.clone().numpy())
                return
            made[id(output)] = name
            outputs[name] = [output.clone().numpy()]  # an activation may work in place

        return layer.register_forward_hook(hook)

    watched = (*_WITH_WEIGHTS, nn.BatchNorm2d)
    hooks = [watch(name, layer) for name, layer in module.network.named_modules() if isinstance(layer, watched)]
    try:
        with torch.no_grad():
            module(torch.from_numpy(picture[None]))
    finally:
        for handle in hooks:
            handle.remove()
    return outputs


def _relative(expected: npt.NDArray[np.float32], found: npt.NDArray[np.float32]) -> float:
    if expected.shape != found.shape:
        return float("inf")
    return float(np.abs(expected - found).mean() / (np.abs(expected).mean() + 1e-12))


def _finite(error: float) -> float:
    """An overflow adds most, and a layer behind it adds nothing."""
    return float(np.nan_to_num(error, nan=np.inf, posinf=np.inf, neginf=-1.0))
