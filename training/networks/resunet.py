"""A residual U-Net, and its encoder with a pooled head as a classifier: one body for both kinds of answer.

Zhang et al., "Road extraction by deep residual U-Net", IEEE GRSL 15 (2018). Its stem folds squares of pixels into
channels (space to depth) instead of convolving at full resolution, which costs more time than it brings.
"""

import torch
from torch import nn

from training.networks.blocks import Grow, Residual, convolution


class ResidualEncoder(nn.Module):
    """Features at 1/stride of the input's resolution and its halves, one level a width.

    Args:
        widths: channels at each resolution, the highest first.
        depths: residual blocks at each resolution.
        stride: of the stem.
    """

    def __init__(self, widths: list[int], depths: list[int], stride: int) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.PixelUnshuffle(stride), convolution(3 * stride**2, widths[0]))
        self.levels = nn.ModuleList(
            _level(inner, outer, depth, stride=1 if index == 0 else 2)
            for index, (inner, outer, depth) in enumerate(zip([widths[0], *widths[:-1]], widths, depths, strict=True))
        )

    def forward(self, image: torch.Tensor) -> list[torch.Tensor]:
        """Return the features, the highest resolution first."""
        features = self.stem(image)
        found = []
        for level in self.levels:
            features = level(features)
            found.append(features)
        return found


class ResUNet(nn.Module):
    """Takes float (batch, 3, height, width), multiples of `multiple`; gives logits (batch, outputs, height, width)."""

    def __init__(self, outputs: int, widths: list[int], depths: list[int], stride: int) -> None:
        super().__init__()
        self.multiple = stride * 2 ** (len(widths) - 1)
        self.encoder = ResidualEncoder(widths, depths, stride)
        self.decoder = nn.ModuleList(
            Residual(deep + shallow, shallow) for deep, shallow in zip(widths[:0:-1], widths[-2::-1], strict=True)
        )
        self.head = nn.Sequential(nn.Conv2d(widths[0], outputs * stride**2, 1), nn.PixelShuffle(stride))
        self.grow = Grow()

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """Return the logits."""
        *skips, features = self.encoder(image)
        for block, skip in zip(self.decoder, reversed(skips), strict=True):
            features = block(self.grow(features, skip))
        logits: torch.Tensor = self.head(features)
        return logits


class ResNetClassifier(nn.Module):
    """The encoder with a pooled head. Takes float (batch, 3, height, width); gives logits (batch, outputs).

    Mean and spread of every resolution are pooled, and of the last one mean and maximum: a disease may change the whole
    retina's colour, its texture, or one small spot.
    """

    def __init__(self, outputs: int, widths: list[int], depths: list[int], stride: int, dropout: float) -> None:
        super().__init__()
        self.multiple = stride * 2 ** (len(widths) - 1)
        self.encoder = ResidualEncoder(widths, depths, stride)
        pooled = 2 * (3 + sum(widths))
        self.head = nn.Sequential(nn.BatchNorm1d(pooled), nn.Dropout(dropout), nn.Linear(pooled, outputs))

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """Return the logits."""
        *levels, last = self.encoder(image)
        pooled = [value for features in (image, *levels) for value in _mean_and_spread(features)]
        logits: torch.Tensor = self.head(torch.cat([*pooled, last.mean(dim=(2, 3)), last.amax(dim=(2, 3))], dim=1))
        return logits


def _level(inner: int, outer: int, depth: int, *, stride: int) -> nn.Sequential:
    blocks = [Residual(inner, outer, stride=stride), *(Residual(outer, outer) for _ in range(depth - 1))]
    return nn.Sequential(*blocks)


def _mean_and_spread(features: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    mean = features.mean(dim=(2, 3))
    variance = (features - mean[:, :, None, None]).square().mean(dim=(2, 3))
    # The square root has no gradient at 0, where a channel is dead.
    return mean, (variance + 1e-4).sqrt()
