"""Kernels shared over their mirrored and turned copies: a retina has no up, and nothing has to be learnt eight times.

Cohen and Welling, "Group equivariant convolutional networks", ICML 2016. Channels come in groups, a channel for each
element. Turning the picture turns the features and permutes each group, and the answer turns with it. While a network
learns, `share` keeps one kernel of each group; afterwards `written_out` returns the plain convolutions that they stand
for, so that what is exported and served has the same layers, and the same speed, as without.
"""

from collections.abc import Callable
from typing import cast

import torch
from torch import nn

from training.errors import ConfigError
from training.networks.unet import UNet

# (mirrored, quarter turns): mirror images alone, or with quarter turns as well. The identity comes first.
_ELEMENTS = {
    4: ((0, 0), (1, 0), (0, 2), (1, 2)),
    8: tuple((mirrored, turns) for mirrored in (0, 1) for turns in range(4)),
}


def share(network: nn.Module, order: int) -> nn.Module:
    """Return a network, not trained yet, whose kernels are shared over `order` elements; itself for an order of 1.

    Args:
        network: with an order above 1 a `UNet`, whose layers are replaced; its first kernel of each group is kept.
        order: 1, 4 (mirror images) or 8 (and quarter turns).

    Raises:
        ConfigError: another order or network, or channels that are no multiple of the order.
    """
    if order == 1:
        return network
    if order not in _ELEMENTS or not isinstance(network, UNet):
        raise ConfigError(f"network.symmetry={order}: give 1, 4 (mirrored) or 8 (and turned), and network=unet")
    for layer in network.modules():
        if isinstance(layer, nn.BatchNorm2d) and layer.num_features % order:
            raise ConfigError(
                f"network.symmetry={order} needs multiples of it in network.widths, not {layer.num_features}"
            )
    _replace(network, lambda layer: _shared(layer, network, order))
    return network


def written_out(network: nn.Module) -> nn.Module:
    """Return the network with plain layers in the place of shared ones: the same answers in evaluation mode."""
    _replace(network, lambda layer: layer.plain() if isinstance(layer, _Convolution | _Normalisation) else None)
    return network


def transformed(element: tuple[int, int], plane: torch.Tensor) -> torch.Tensor:
    """Return (…, height, width) mirrored left to right or not, then turned by so many quarters."""
    mirrored, turns = element
    return torch.rot90(plane.flip(-1) if mirrored else plane, turns, (-2, -1))


def _replace(network: nn.Module, change: Callable[[nn.Module], nn.Module | None]) -> None:
    for parent in list(network.modules()):
        for name, child in list(parent.named_children()):
            if (changed := change(child)) is not None:
                setattr(parent, name, changed.train(child.training))


def _shared(layer: nn.Module, network: UNet, order: int) -> nn.Module | None:
    if isinstance(layer, nn.BatchNorm2d):
        return _Normalisation(layer, order)
    if not isinstance(layer, nn.Conv2d):
        return None
    if layer is network.head[0]:
        return _Head(layer, cast("nn.PixelShuffle", network.head[1]), order)
    return _Between(layer, order) if layer.in_channels % order == 0 else _First(layer, order)


class _Convolution(nn.Module):
    """A convolution whose kernels are made of few; how is what its kinds say."""

    def __init__(self, layer: nn.Conv2d, order: int) -> None:
        super().__init__()
        self.elements, self.stride, self.padding = _ELEMENTS[order], layer.stride[0], int(layer.padding[0])
        self.weight = nn.Parameter(layer.weight.detach()[::order].clone())

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        return nn.functional.conv2d(features, self.kernels(), self.biases(), self.stride, self.padding)

    def kernels(self) -> torch.Tensor:
        """All of them, (outer, inner, height, width)."""
        raise NotImplementedError

    def biases(self) -> torch.Tensor | None:
        """Nothing: a normalisation follows."""
        return None

    def plain(self) -> nn.Conv2d:
        """The convolution that this one stands for."""
        kernels, biases = self.kernels().detach(), self.biases()
        outer, inner, height, width = kernels.shape
        layer = nn.Conv2d(inner, outer, (height, width), self.stride, self.padding, bias=biases is not None)
        layer.weight = nn.Parameter(kernels.contiguous())
        layer.bias = None if biases is None else nn.Parameter(biases.detach().contiguous())
        return layer


class _First(_Convolution):
    """From a picture to groups: each element turns the kernel."""

    def kernels(self) -> torch.Tensor:
        return torch.stack([transformed(element, self.weight) for element in self.elements], 1).flatten(0, 1)


class _Between(_Convolution):
    """From groups to groups: the kernel of an element g is turned, and sees as h what the first one sees as g⁻¹h."""

    def __init__(self, layer: nn.Conv2d, order: int) -> None:
        super().__init__(layer, order)
        # Beside the weights on their device, and in no checkpoint: it follows from the order.
        self.register_buffer("seen_as", torch.tensor(_seen_as(self.elements)), persistent=False)

    def kernels(self) -> torch.Tensor:
        outer, inner, height, width = self.weight.shape
        order = len(self.elements)
        first = self.weight.view(outer, inner // order, order, height, width)
        turned = [
            transformed(element, first.index_select(2, seen).flatten(1, 2))
            for element, seen in zip(self.elements, self.get_buffer("seen_as"), strict=True)
        ]
        return torch.stack(turned, 1).flatten(0, 1)


class _Head(_Convolution):
    """From groups to squares of pixels, laid out by a pixel shuffle: each element turns the square."""

    def __init__(self, layer: nn.Conv2d, shuffle: nn.PixelShuffle, order: int) -> None:
        super().__init__(layer, order)
        side = shuffle.upscale_factor
        squares = layer.weight.detach()[:, ::order, 0, 0].view(-1, side, side, layer.in_channels // order)
        self.weight = nn.Parameter(squares.permute(0, 3, 1, 2).clone())
        self.bias = nn.Parameter(torch.zeros(len(squares)))

    def kernels(self) -> torch.Tensor:
        squares = torch.stack([transformed(element, self.weight) for element in self.elements], 2).flatten(1, 2)
        return squares.permute(0, 2, 3, 1).flatten(0, 2)[..., None, None]

    def biases(self) -> torch.Tensor:
        return self.bias.repeat_interleave(self.weight.shape[-1] ** 2)


class _Normalisation(nn.Module):
    """Batch normalisation of each group as one: its channels are one feature, seen from several sides."""

    def __init__(self, layer: nn.BatchNorm2d, order: int) -> None:
        super().__init__()
        self.order = order
        self.group = nn.BatchNorm3d(layer.num_features // order, layer.eps, layer.momentum)

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        batch, channels, height, width = features.shape
        groups = features.reshape(batch, channels // self.order, self.order, height, width)
        normalised: torch.Tensor = self.group(groups)
        return normalised.flatten(1, 2)

    def plain(self) -> nn.BatchNorm2d:
        """The normalisation that this one stands for."""
        layer = nn.BatchNorm2d(self.group.num_features * self.order, self.group.eps, self.group.momentum)
        state = self.group.state_dict()
        repeated = {name: each.repeat_interleave(self.order) for name, each in state.items() if each.ndim}
        layer.load_state_dict(state | repeated)
        return layer


def _seen_as(elements: tuple[tuple[int, int], ...]) -> list[list[int]]:
    """For each element g and each h, the number of g⁻¹h, read off a square whose pixels all differ."""
    square = torch.arange(9).reshape(3, 3)
    number = {tuple(transformed(element, square).flatten().tolist()): at for at, element in enumerate(elements)}

    def of(planes: torch.Tensor) -> int:
        return number[tuple(planes.flatten().tolist())]

    inverse = [next(h for h in elements if of(transformed(g, transformed(h, square))) == 0) for g in elements]
    return [[of(transformed(back, transformed(h, square))) for h in elements] for back in inverse]
