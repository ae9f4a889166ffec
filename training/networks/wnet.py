"""Two cascaded small U-Nets at full resolution: the W-Net of Galdran et al., "State-of-the-art retinal vessel
segmentation with minimalistic models", Scientific Reports 12 (2022).

The yardstick for accuracy and speed: with widths 8, 16, 32 and one output it has 68,482 parameters.
"""

import torch
from torch import nn


class WNet(nn.Module):
    """The second U-Net sees the picture and the first one's logits.

    Input: float (batch, 3, height, width), height and width multiples of `multiple`.
    Output: float (batch, outputs, height, width), logits; while training, a list of both U-Nets' logits, the last one
    being the answer, because both are supervised.
    """

    def __init__(self, outputs: int, widths: list[int]) -> None:
        super().__init__()
        self.multiple = 2 ** (len(widths) - 1)
        self.first = _FullResolutionUNet(3, outputs, widths)
        self.second = _FullResolutionUNet(3 + outputs, outputs, widths)

    def forward(self, image: torch.Tensor) -> torch.Tensor | list[torch.Tensor]:
        """Return the logits."""
        early = self.first(image)
        final: torch.Tensor = self.second(torch.cat([image, early], dim=1))
        return [early, final] if self.training else final


class _Block(nn.Module):
    """Two convolutions with ReLU before batch normalisation, and a 1 × 1 shortcut."""

    def __init__(self, inner: int, outer: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(inner, outer, 3, padding=1),
            nn.ReLU(inplace=True),
            nn.BatchNorm2d(outer),
            nn.Conv2d(outer, outer, 3, padding=1),
            nn.ReLU(inplace=True),
            nn.BatchNorm2d(outer),
        )
        self.shortcut = nn.Sequential(nn.Conv2d(inner, outer, 1, bias=False), nn.BatchNorm2d(outer))

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        total: torch.Tensor = self.body(features) + self.shortcut(features)
        return total


class _Up(nn.Module):
    """A transposed convolution beside the bridged skip connection, then a block."""

    def __init__(self, deep: int, shallow: int) -> None:
        super().__init__()
        self.grow = nn.ConvTranspose2d(deep, shallow, kernel_size=2, stride=2)
        self.bridge = nn.Sequential(
            nn.Conv2d(shallow, shallow, 3, padding=1), nn.ReLU(inplace=True), nn.BatchNorm2d(shallow)
        )
        self.block = _Block(2 * shallow, shallow)

    def forward(self, features: torch.Tensor, skip: torch.Tensor) -> torch.Tensor:
        result: torch.Tensor = self.block(torch.cat([self.grow(features), self.bridge(skip)], dim=1))
        return result


class _FullResolutionUNet(nn.Module):
    def __init__(self, inputs: int, outputs: int, widths: list[int]) -> None:
        super().__init__()
        self.encoder = nn.ModuleList(
            _Block(inner, outer) for inner, outer in zip([inputs, *widths[:-1]], widths, strict=True)
        )
        self.decoder = nn.ModuleList(
            _Up(deep, shallow) for deep, shallow in zip(widths[:0:-1], widths[-2::-1], strict=True)
        )
        self.head = nn.Conv2d(widths[0], outputs, 1)
        self.pool = nn.MaxPool2d(2)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        levels = []
        features = image
        for depth, block in enumerate(self.encoder):
            features = block(self.pool(features) if depth else features)
            levels.append(features)
        for up, skip in zip(self.decoder, reversed(levels[:-1]), strict=True):
            features = up(features, skip)
        logits: torch.Tensor = self.head(features)
        return logits
