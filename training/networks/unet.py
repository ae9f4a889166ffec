"""A compact U-Net (Ronneberger et al., MICCAI 2015) that works at 1/2 or 1/4 resolution and below.

Thin layers at full resolution are bound by memory and not by arithmetic, on CPUs and GPUs alike. So a strided stem
replaces the first levels, and a pixel shuffle (Shi et al., CVPR 2016) brings the answer back to full resolution.
"""

import torch
from torch import nn

from training.networks.blocks import DropBlock, Grow, convolution, convolutions

# Channels between the two halves of a stem that strides by four.
_STEM_WIDTH = 16


class UNet(nn.Module):
    """Encoder, decoder and skip connections at 1/stride of the input's resolution and its halves.

    Input: float (batch, 3, height, width), height and width multiples of `multiple`.
    Output: float (batch, outputs, height, width), logits.

    Args:
        outputs: channels of the answer.
        widths: channels at each resolution, the highest first.
        depths: convolutions of the encoder at each resolution.
        decoder_depth: convolutions of the decoder at each resolution.
        stride: of the stem; 2 or 4.
        dropout: share of each block's features that is dropped while training, in squares.
    """

    def __init__(
        self, outputs: int, widths: list[int], depths: list[int], decoder_depth: int, stride: int, dropout: float
    ) -> None:
        super().__init__()
        self.multiple = stride * 2 ** (len(widths) - 1)
        self.stem = _stem(widths[0], stride)
        self.encoder = nn.ModuleList(
            convolutions(inner, outer, depth)
            for inner, outer, depth in zip([widths[0], *widths[:-1]], widths, depths, strict=True)
        )
        steps = list(zip(widths[:0:-1], widths[-2::-1], strict=True))
        # Narrowed before it grows: a 1 × 1 convolution costs a quarter at the lower resolution.
        self.narrow = nn.ModuleList(nn.Conv2d(deep, shallow, 1, bias=False) for deep, shallow in steps)
        self.decoder = nn.ModuleList(convolutions(2 * shallow, shallow, decoder_depth) for _, shallow in steps)
        self.head = nn.Sequential(nn.Conv2d(widths[0], outputs * stride**2, 1), nn.PixelShuffle(stride))
        self.pool = nn.MaxPool2d(2)
        self.grow = Grow()
        self.drop = DropBlock(dropout)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """Return the logits."""
        levels = []
        features = self.stem(image)
        for depth, block in enumerate(self.encoder):
            features = self.drop(block(self.pool(features) if depth else features))
            levels.append(features)
        for narrow, block, skip in zip(self.narrow, self.decoder, reversed(levels[:-1]), strict=True):
            features = self.drop(block(self.grow(narrow(features), skip)))
        logits: torch.Tensor = self.head(features)
        return logits


def _stem(width: int, stride: int) -> nn.Sequential:
    if stride == 2:
        return convolution(3, width, kernel=4, stride=2)
    return nn.Sequential(
        convolution(3, _STEM_WIDTH, kernel=4, stride=2), convolution(_STEM_WIDTH, width, kernel=4, stride=2)
    )
