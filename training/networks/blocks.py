"""What several architectures are built from."""

import torch
from torch import nn


def convolution(inner: int, outer: int, *, kernel: int = 3, stride: int = 1) -> nn.Sequential:
    """Return a convolution with batch normalisation and ReLU; the resolution is divided by the stride."""
    return nn.Sequential(
        nn.Conv2d(inner, outer, kernel, stride, padding=(kernel - 1) // 2, bias=False),
        nn.BatchNorm2d(outer),
        nn.ReLU(inplace=True),
    )


def convolutions(inner: int, outer: int, count: int) -> nn.Sequential:
    """Return so many 3 × 3 convolutions, each with batch normalisation and ReLU."""
    return nn.Sequential(*(convolution(outer if index else inner, outer) for index in range(count)))


class DropBlock(nn.Module):
    """While training, sets squares of features to zero; otherwise the identity, of which exports keep nothing.

    Ghiasi et al., "DropBlock: a regularization method for convolutional networks", NeurIPS 2018, algorithm 1.
    Neighbours in a plane say nearly the same, so that single dropped values would be no loss.

    Args:
        share: of the features that is dropped, about; 0–1.
        side: of the squares, in features; odd.
    """

    def __init__(self, share: float, side: int = 5) -> None:
        super().__init__()
        self.share, self.side = share, side

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """Return (batch, channels, height, width), scaled so that as much is expected as without."""
        if not self.training or self.share == 0:
            return features
        # Drawn in full precision: bfloat16 knows few numbers close to 0.
        drawn = torch.rand_like(features, dtype=torch.float32)
        # Squares overlap, which the paper does not count: what stays has none of side² centres near it drawn.
        centres = (drawn < 1 - (1 - self.share) ** (1 / self.side**2)).to(features.dtype)
        kept = 1 - nn.functional.max_pool2d(centres, self.side, 1, self.side // 2)
        return features * kept / kept.float().mean().clamp_min(1e-3).to(features.dtype)


class Residual(nn.Module):
    """Two 3 × 3 convolutions beside a shortcut: He et al., "Deep residual learning", CVPR 2016.

    The shortcut is the identity, or an average and a 1 × 1 convolution where channels or resolution change.
    """

    def __init__(self, inner: int, outer: int, *, stride: int = 1) -> None:
        super().__init__()
        last = nn.BatchNorm2d(outer)
        # Starts close to the identity (Goyal et al., 2017, start at 0): deep stacks learn from the first step on.
        nn.init.constant_(last.weight, 0.2)
        self.body = nn.Sequential(
            *convolution(inner, outer, stride=stride), nn.Conv2d(outer, outer, 3, padding=1, bias=False), last
        )
        self.shortcut = _shortcut(inner, outer, stride)
        self.activation = nn.ReLU(inplace=True)

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """Return (batch, outer, height / stride, width / stride)."""
        result: torch.Tensor = self.activation(self.body(features) + self.shortcut(features))
        return result


def _shortcut(inner: int, outer: int, stride: int) -> nn.Module:
    if inner == outer and stride == 1:
        return nn.Identity()
    shrink = [nn.AvgPool2d(stride)] if stride > 1 else []
    return nn.Sequential(*shrink, nn.Conv2d(inner, outer, 1, bias=False), nn.BatchNorm2d(outer))


class Grow(nn.Module):
    """Doubles the resolution without arithmetic.

    A fixed factor and no transposed convolution: one Resize in ONNX, nothing that INT8 would have to keep in float.
    """

    def __init__(self) -> None:
        super().__init__()
        self.grow = nn.Upsample(scale_factor=2, mode="nearest")

    def forward(self, features: torch.Tensor, skip: torch.Tensor) -> torch.Tensor:
        """Return the grown features beside the skip connection, along the channels."""
        return torch.cat([self.grow(features), skip], dim=1)
