"""The network as it is served: uint8 pixels in, uint8 probability out, with everything between them in the graph.

Normalisation and activation are part of the exported artefact, so they cannot drift apart from training.
"""

import torch
from torch import nn


class ServingModule(nn.Module):
    """What evaluation runs and what every export format is made from."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        """Return uint8 (batch, size, size): 0–255 stands for a probability of 0–1, rounded to the nearest.

        Args:
            pixels: uint8 (batch, size, size, 3), RGB.
        """
        return (self.probability(pixels) * 255).round().to(torch.uint8)

    def probability(self, pixels: torch.Tensor) -> torch.Tensor:
        """Return the same before it is rounded to a byte, float32 0–1: what parity is measured on."""
        logits = self.network(normalise(pixels.permute(0, 3, 1, 2).float()))
        return torch.sigmoid(logits)[:, 0]


def normalise(pixels: torch.Tensor) -> torch.Tensor:
    """Return pixels of 0–255 as -1–1, float32: the range that every network here is trained on."""
    return pixels / 127.5 - 1.0
