"""Network architectures: plain modules, uint8-free; what a pixel means is `training.serving_module`'s business."""

from collections.abc import Callable

from torch import nn

from training.errors import ConfigError
from training.networks.unet import UNet

# An architecture is one line: name → constructor that takes the number of outputs and the widths.
NETWORKS: dict[str, Callable[[int, list[int]], nn.Module]] = {"unet": UNet}


def build_network(name: str, outputs: int, widths: list[int]) -> nn.Module:
    """Return a freshly initialised network of that name.

    Raises:
        ConfigError: no such network, or widths that it cannot take.
    """
    if name not in NETWORKS:
        raise ConfigError(f"there is no network {name!r}; the networks are: {', '.join(NETWORKS)}")
    if len(widths) < 2 or min(widths) < 1:
        raise ConfigError(f"network.widths is {widths}; give at least two positive channel counts")
    return NETWORKS[name](outputs, list(widths))


__all__ = ["NETWORKS", "UNet", "build_network"]
