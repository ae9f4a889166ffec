"""Any architecture of segmentation_models_pytorch by name, as an optional extra."""

import torch
from torch import nn

from tasks import TaskSpec
from training.config import NetworkConfig
from training.errors import ConfigError


class SmpNetwork(nn.Module):
    """Input: float (batch, 3, height, width), multiples of 32. Output: logits, as the task has them."""

    multiple = 32

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """Return the logits."""
        logits: torch.Tensor = self.network(image)
        return logits


def build_smp(config: NetworkConfig, task: TaskSpec) -> nn.Module:
    """Return a freshly initialised network; no pretrained weights are asked for.

    Raises:
        ConfigError: the extra is not installed, or there is no such architecture.
    """
    try:
        import segmentation_models_pytorch as smp  # noqa: PLC0415 - an optional extra
    except ImportError as error:
        raise ConfigError("network=smp needs the extra: pip install -e '.[smp]'") from error
    try:
        network = smp.create_model(
            config.architecture, config.encoder, encoder_weights=None, in_channels=3, classes=task.outputs
        )
    except (KeyError, ValueError) as error:
        raise ConfigError(f"network.architecture={config.architecture}, encoder={config.encoder}: {error}") from error
    return SmpNetwork(network)
