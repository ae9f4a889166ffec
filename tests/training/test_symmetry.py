"""Kernels that are shared over mirrored and turned copies: the answer turns with the picture."""

import pytest
import torch

from tasks import get_task
from training.config import NetworkConfig
from training.errors import ConfigError
from training.networks import build_network
from training.networks.symmetry import share, transformed, written_out

EIGHT = [(mirrored, turns) for mirrored in (0, 1) for turns in range(4)]
MIRRORS = [(0, 0), (1, 0), (0, 2), (1, 2)]


def shared(order: int, stride: int, task: str = "vessels") -> torch.nn.Module:
    """A network as it might be after some steps: no two numbers of it are alike."""
    torch.manual_seed(0)
    network = build_network(NetworkConfig(widths=[8, 16, 16], stride=stride, symmetry=order), get_task(task))
    network = share(network, order).train()
    with torch.no_grad():
        for weight in network.parameters():
            weight.add_(0.1 * torch.randn_like(weight))
        for _ in range(3):
            network(torch.randn(2, 3, 64, 64))
    return network.eval()


@pytest.mark.parametrize("task", ["vessels", "dubai_aerial"])
@pytest.mark.parametrize("stride", [2, 4])
@pytest.mark.parametrize(("order", "elements"), [(4, MIRRORS), (8, EIGHT)], ids=["mirrors", "turns"])
def test_the_answer_turns_with_the_picture(order: int, elements: list[tuple[int, int]], stride: int, task: str) -> None:
    network = shared(order, stride, task)
    image = torch.randn(1, 3, 64, 64)
    with torch.inference_mode():
        answer = network(image)
        spread = float(answer.std())
        turns = [
            torch.allclose(network(transformed(element, image)), transformed(element, answer), atol=1e-4 * spread)
            for element in EIGHT
        ]
    assert turns == [element in elements for element in EIGHT]


@pytest.mark.parametrize("order", [4, 8])
def test_what_is_kept_is_plain_and_answers_the_same(order: int) -> None:
    network, image = shared(order, 4), torch.randn(2, 3, 64, 64)
    learnt = sum(weight.numel() for weight in network.parameters())
    with torch.inference_mode():
        before, plain = network(image), written_out(network)
        assert torch.allclose(plain(image), before, atol=1e-6)
    ordinary = build_network(NetworkConfig(widths=[8, 16, 16], stride=4), get_task("vessels"))
    assert {name: each.shape for name, each in plain.state_dict().items()} == {
        name: each.shape for name, each in ordinary.state_dict().items()
    }
    assert [type(layer) for layer in plain.modules()] == [type(layer) for layer in ordinary.modules()]
    assert learnt < 1.2 * sum(weight.numel() for weight in ordinary.parameters()) / order


def test_without_symmetry_nothing_is_replaced() -> None:
    network = build_network(NetworkConfig(), get_task("vessels"))
    layers = [id(layer) for layer in network.modules()]
    assert [id(layer) for layer in written_out(share(network, 1)).modules()] == layers


@pytest.mark.parametrize(
    ("config", "order", "sentence"),
    [
        (NetworkConfig(), 3, "give 1, 4"),
        (NetworkConfig(name="wnet", widths=[8, 16, 32]), 8, "network=unet"),
        (NetworkConfig(widths=[12, 32, 64]), 8, "multiples of it in network.widths, not 12"),
    ],
)
def test_what_cannot_be_shared_is_one_sentence(config: NetworkConfig, order: int, sentence: str) -> None:
    with pytest.raises(ConfigError, match=sentence):
        share(build_network(config, get_task("vessels")), order)
