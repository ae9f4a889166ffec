"""A compact U-Net (Ronneberger et al., MICCAI 2015) that works at half resolution and below.

Thin layers at full resolution are bound by memory and not by arithmetic, on CPUs and GPUs alike. So a strided stem
replaces the first level, and a pixel shuffle (Shi et al., CVPR 2016) brings the answer back to full resolution.
"""

import torch
from torch import nn


class UNet(nn.Module):
    """Encoder, decoder and skip connections at 1/2, 1/4, 1/8 … of the input's resolution.

    Input: float (batch, 3, height, width), height and width multiples of `multiple`.
    Output: float (batch, outputs, height, width), logits.
    """

    def __init__(self, outputs: int, widths: list[int]) -> None:
        super().__init__()
        self.multiple = 2 ** len(widths)
        self.stem = nn.Conv2d(3, widths[0], kernel_size=4, stride=2, padding=1, bias=False)
        self.encoder = nn.ModuleList(
            double_convolution(inner, outer) for inner, outer in zip([widths[0], *widths[:-1]], widths, strict=True)
        )
        self.decoder = nn.ModuleList(
            double_convolution(deep + shallow, shallow)
            for deep, shallow in zip(widths[:0:-1], widths[-2::-1], strict=True)
        )
        self.head = nn.Sequential(nn.Conv2d(widths[0], outputs * 4, kernel_size=1), nn.PixelShuffle(2))
        self.pool = nn.MaxPool2d(2)
        # Fixed factor and no transposed convolution: one Resize in ONNX, nothing that INT8 would have to keep in float.
        self.grow = nn.Upsample(scale_factor=2, mode="nearest")

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """Return the logits."""
        levels = []
        features = self.stem(image)
        for depth, block in enumerate(self.encoder):
            features = block(self.pool(features) if depth else features)
            levels.append(features)
        for block, skip in zip(self.decoder, reversed(levels[:-1]), strict=True):
            features = block(torch.cat([self.grow(features), skip], dim=1))
        logits: torch.Tensor = self.head(features)
        return logits


def double_convolution(inner: int, outer: int) -> nn.Sequential:
    """Return two 3 × 3 convolutions, each with batch normalisation and ReLU."""
    layers: list[nn.Module] = []
    for channels in (inner, outer):
        layers += [nn.Conv2d(channels, outer, 3, padding=1, bias=False), nn.BatchNorm2d(outer), nn.ReLU(inplace=True)]
    return nn.Sequential(*layers)
