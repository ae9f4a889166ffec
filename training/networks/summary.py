"""How large and how costly a network is."""

from dataclasses import dataclass

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from tasks import TaskSpec


@dataclass(frozen=True)
class NetworkSummary:
    """Trainable parameters, and 10⁹ floating-point operations for one picture (a multiply-add counts as two)."""

    parameters: int
    gflops: float

    def __str__(self) -> str:
        return f"{self.parameters:,} parameters, {self.gflops:.2f} GFLOPs a picture"


def summarise(network: nn.Module, task: TaskSpec) -> NetworkSummary:
    """Return the network's size and its cost at the task's picture size; the network is left as it was."""
    training = network.training
    counter = FlopCounterMode(display=False)
    with torch.inference_mode(), counter:
        network.eval()(torch.zeros(1, 3, task.size_px, task.size_px))
    network.train(training)
    parameters = sum(parameter.numel() for parameter in network.parameters() if parameter.requires_grad)
    return NetworkSummary(parameters, counter.get_total_flops() / 1e9)
