"""The network as it is served: uint8 pixels in, the task's answer out, with everything between them in the graph.

Normalisation, calibration, activation and arg-max are part of the exported artefact, so they cannot drift apart from
training.
"""

import math
from dataclasses import dataclass

import torch
from torch import nn

from tasks import Kind, TaskSpec


@dataclass(frozen=True)
class Calibration:
    """What turns logits into probabilities that can be believed; fitted on training folds only.

    Attributes:
        temperature: logits are divided by it (Guo et al., "On calibration of modern neural networks", ICML 2017).
        threshold: of a binary segmentation, the uncalibrated probability that is served as 0.5.
    """

    temperature: float = 1.0
    threshold: float = 0.5

    @property
    def shift(self) -> float:
        """Return the logit of the threshold, which is subtracted before the division."""
        return math.log(self.threshold / (1 - self.threshold))


class ServingModule(nn.Module):
    """What evaluation runs and what every export format is made from."""

    def __init__(self, network: nn.Module, task: TaskSpec, calibration: Calibration | None = None) -> None:
        super().__init__()
        self.network = network
        self.kind = task.kind
        self.first = len(task.classes) - len(task.predicted)
        self.calibration = calibration or Calibration()

    def forward(self, pixels: torch.Tensor) -> torch.Tensor | tuple[torch.Tensor, torch.Tensor]:
        """Return the answer as it is served.

        Args:
            pixels: uint8 (batch, size, size, 3), RGB.

        Returns:
            binary segmentation: uint8 (batch, size, size); 0–255 stands for a probability of 0–1, rounded.
            semantic segmentation: uint8 class indices and uint8 probability of that class, both (batch, size, size).
            classification: float32 (batch, classes), sums to 1.
        """
        return self.serve(self.probability(pixels))

    def serve(self, probability: torch.Tensor) -> torch.Tensor | tuple[torch.Tensor, torch.Tensor]:
        """Return what `forward` answers where these are the probabilities, as `probability` returns them."""
        if self.kind is Kind.CLASSIFICATION:
            return probability
        if self.kind is Kind.BINARY_SEGMENTATION:
            return to_byte(probability)
        highest, winner = probability.max(dim=1)
        return (winner + self.first).to(torch.uint8), to_byte(highest)

    def probability(self, pixels: torch.Tensor) -> torch.Tensor:
        """Return the probabilities before arg-max and rounding, float32 0–1: what parity is measured on.

        Returns:
            (batch, size, size) of the foreground, (batch, predicted classes, size, size) or (batch, classes).
        """
        logits = self.network(normalise(pixels.float().permute(0, 3, 1, 2)))
        calibrated = (logits - self.calibration.shift) / self.calibration.temperature
        if self.kind is Kind.BINARY_SEGMENTATION:
            return torch.sigmoid(calibrated)[:, 0]
        return torch.softmax(calibrated, dim=1)


def normalise(pixels: torch.Tensor) -> torch.Tensor:
    """Return pixels of 0–255 as -1–1, float32: the range that every network here is trained on."""
    return pixels / 127.5 - 1.0


def to_byte(probability: torch.Tensor) -> torch.Tensor:
    """Return 0–1 as uint8 0–255, rounded: what is served."""
    return (probability * 255).round().to(torch.uint8)
