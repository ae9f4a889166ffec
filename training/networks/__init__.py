"""Network architectures: plain modules, uint8-free; what a pixel means is `training.serving_module`'s business."""

from collections.abc import Callable

from torch import nn

from tasks import Kind, TaskSpec
from training.config import NetworkConfig
from training.errors import ConfigError
from training.networks.resunet import ResNetClassifier, ResUNet
from training.networks.smp import build_smp
from training.networks.unet import UNet
from training.networks.wnet import WNet


def _unet(config: NetworkConfig, task: TaskSpec) -> nn.Module:
    _require_segmentation(config, task)
    depths = _depths(config, 2)
    return UNet(task.outputs, config.widths, depths, config.decoder_depth, config.stride, config.dropout)


def _wnet(config: NetworkConfig, task: TaskSpec) -> nn.Module:
    _require_segmentation(config, task)
    return WNet(task.outputs, config.widths)


def _resunet(config: NetworkConfig, task: TaskSpec) -> nn.Module:
    depths = _depths(config, 1)
    if task.kind is Kind.CLASSIFICATION:
        return ResNetClassifier(task.outputs, config.widths, depths, config.stride, config.dropout)
    return ResUNet(task.outputs, config.widths, depths, config.stride)


def _smp(config: NetworkConfig, task: TaskSpec) -> nn.Module:
    _require_segmentation(config, task)
    return build_smp(config, task)


def _depths(config: NetworkConfig, default: int) -> list[int]:
    depths = list(config.depths) or [default] * len(config.widths)
    if len(depths) != len(config.widths) or min(*depths, config.decoder_depth) < 1 or config.stride not in (2, 4):
        raise ConfigError(
            f"network.depths={config.depths}, decoder_depth={config.decoder_depth}, stride={config.stride}: give one "
            "positive depth for each of network.widths, a positive decoder_depth and a stride of 2 or 4"
        )
    return depths


def _require_segmentation(config: NetworkConfig, task: TaskSpec) -> None:
    if task.kind is Kind.CLASSIFICATION:
        raise ConfigError(f"network={config.name} segments; for a classification choose network=resunet")


# An architecture is one line: name → constructor.
NETWORKS: dict[str, Callable[[NetworkConfig, TaskSpec], nn.Module]] = {
    "unet": _unet,
    "wnet": _wnet,
    "resunet": _resunet,
    "smp": _smp,
}


def build_network(config: NetworkConfig, task: TaskSpec) -> nn.Module:
    """Return a freshly initialised network.

    It takes float (batch, 3, height, width), -1–1, whose sides are multiples of its attribute `multiple`, and answers
    with logits (batch, task.outputs, height, width), or (batch, task.outputs) for a classification.

    Raises:
        ConfigError: no such network, widths that it cannot take, or a kind of task that it cannot do.
    """
    if config.name not in NETWORKS:
        raise ConfigError(f"there is no network {config.name!r}; the networks are: {', '.join(NETWORKS)}")
    if len(config.widths) < 2 or min(config.widths) < 1:
        raise ConfigError(f"network.widths is {config.widths}; give at least two positive channel counts")
    return NETWORKS[config.name](config, task)


__all__ = ["NETWORKS", "build_network"]
