"""Every architecture on every kind of task: shapes, sizes, gradients, repeatability."""

import numpy as np
import pytest
import torch

from tasks import TASKS, Kind, TaskSpec, get_task
from training.config import NetworkConfig
from training.errors import ConfigError
from training.networks import NETWORKS, build_network
from training.networks.blocks import DropBlock
from training.networks.summary import summarise
from training.serving_module import ServingModule

WIDTHS = [4, 8, 8]
BY_KIND = {task.kind: task for task in TASKS.values()}
SEGMENTING = ("unet", "wnet", "smp")
PAIRS = [
    (name, task)
    for name in NETWORKS
    for task in BY_KIND.values()
    if task.kind is not Kind.CLASSIFICATION or name not in SEGMENTING
]
IDS = [f"{name}-{task.name}" for name, task in PAIRS]


def built(name: str, task: TaskSpec, seed: int = 0, dropout: float = 0.0) -> torch.nn.Module:
    if name == "smp":
        pytest.importorskip("segmentation_models_pytorch")
    torch.manual_seed(seed)
    return build_network(NetworkConfig(name=name, widths=WIDTHS, dropout=dropout), task)


def pictures(multiple: int) -> torch.Tensor:
    """Two pictures of unequal sides, the smallest that are no special case."""
    return torch.randn(2, 3, 2 * multiple, 3 * multiple, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize(("name", "task"), PAIRS, ids=IDS)
def test_answers_have_the_shape_of_the_task(name: str, task: TaskSpec) -> None:
    network = built(name, task).eval()
    image = pictures(int(network.multiple))
    with torch.inference_mode():
        answer = network(image)
    plane = () if task.kind is Kind.CLASSIFICATION else image.shape[2:]
    assert answer.shape == (2, task.outputs, *plane)
    assert answer.dtype == torch.float32
    assert torch.isfinite(answer).all()


@pytest.mark.parametrize(("name", "task"), PAIRS, ids=IDS)
def test_every_weight_learns(name: str, task: TaskSpec) -> None:
    network = built(name, task).train()
    answer = network(pictures(int(network.multiple)))
    # The square of an answer depends on every bias, which its sum would not.
    sum(one.square().mean() for one in (answer if isinstance(answer, list) else [answer])).backward()
    idle = [name for name, weight in network.named_parameters() if weight.grad is None or not weight.grad.any()]
    # A bias before a normalisation, and zero-initialised branches, get no gradient in the first step.
    assert len(idle) <= 0.1 * len(list(network.parameters())), idle


@pytest.mark.parametrize(("name", "task"), PAIRS, ids=IDS)
def test_equal_seeds_give_equal_networks(name: str, task: TaskSpec) -> None:
    first, second, other = built(name, task), built(name, task), built(name, task, seed=1)
    image = pictures(int(first.multiple))
    with torch.inference_mode():
        answers = [network.eval()(image) for network in (first, second, other)]
    assert torch.equal(answers[0], answers[1])
    assert not torch.equal(answers[0], answers[2])


@pytest.mark.parametrize(("name", "task"), PAIRS, ids=IDS)
def test_a_picture_does_not_see_its_neighbours_in_the_batch(name: str, task: TaskSpec) -> None:
    network = built(name, task).eval()
    image = pictures(int(network.multiple))
    with torch.inference_mode():
        assert torch.allclose(network(image)[1:], network(image[1:]), atol=1e-5)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
def test_squares_are_dropped_as_often_as_said(dtype: torch.dtype) -> None:
    torch.manual_seed(0)
    ones = torch.ones(16, 32, 64, 64, dtype=dtype)
    kept = DropBlock(0.1).train()(ones)
    dropped = kept == 0
    assert (DropBlock(0.5).train()(ones)[..., 8:-8, 8:-8] == 0).float().mean() == pytest.approx(0.5, abs=0.02)
    # At the rim it is less: no square lies around a centre outside.
    assert 0.09 < dropped.float().mean() < 0.1
    assert kept.float().mean() == pytest.approx(1.0, abs=4e-3)
    alone = dropped & ~torch.roll(dropped, 1, -1) & ~torch.roll(dropped, -1, -1)
    assert not alone[..., 2:-2].any()


def test_a_unet_drops_while_it_learns_and_nothing_afterwards() -> None:
    network, image = built("unet", get_task("vessels"), dropout=0.3), pictures(16)
    assert not torch.equal(network.train()(image), network(image))
    assert torch.equal(network.eval()(image), network(image))


def test_wnet_is_the_published_one() -> None:
    network = build_network(NetworkConfig(name="wnet", widths=[8, 16, 32]), get_task("vessels"))
    assert sum(weight.numel() for weight in network.parameters()) == 68_482
    network.train()
    assert [one.shape for one in network(torch.zeros(1, 3, 32, 32))] == [(1, 1, 32, 32)] * 2


def test_summary_counts_and_leaves_the_network_as_it_was() -> None:
    network = build_network(NetworkConfig(name="unet", widths=[16, 32, 64]), get_task("vessels")).train()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    summary = summarise(network, get_task("vessels"))
    assert summary.parameters == sum(weight.numel() for weight in network.parameters())
    assert 2 < summary.gflops < 5, "1.7 billion multiply-adds, each of them two operations"
    assert network.training
    assert all(torch.equal(before[name], value) for name, value in network.state_dict().items())


@pytest.mark.parametrize("task", BY_KIND.values(), ids=lambda task: task.name)
def test_served_answers_are_bytes_or_shares(task: TaskSpec) -> None:
    module = ServingModule(built("resunet", task), task).eval()
    pixels = torch.from_numpy(np.random.default_rng(0).integers(0, 256, (2, 64, 64, 3), dtype=np.uint8))
    with torch.inference_mode():
        answer = module(pixels)
    if task.kind is Kind.CLASSIFICATION:
        assert torch.allclose(answer.sum(dim=1), torch.ones(2), atol=1e-6)
    else:
        planes = answer if isinstance(answer, tuple) else (answer,)
        assert all(plane.dtype == torch.uint8 and plane.shape == (2, 64, 64) for plane in planes)


@pytest.mark.parametrize(
    ("config", "task", "sentence"),
    [
        (NetworkConfig(name="vit"), "vessels", "no network 'vit'"),
        (NetworkConfig(widths=[8]), "vessels", "at least two"),
        (NetworkConfig(widths=[8, 0]), "vessels", "positive"),
        (NetworkConfig(name="unet"), "eye_disease", "network=resunet"),
        (NetworkConfig(name="wnet"), "eye_disease", "network=resunet"),
        (NetworkConfig(name="smp"), "eye_disease", "network=resunet"),
        (NetworkConfig(name="smp", architecture="Unett"), "vessels", "network.architecture=Unett"),
        (NetworkConfig(name="smp", encoder="resnet1"), "vessels", "encoder=resnet1"),
    ],
)
def test_impossible_networks_are_one_sentence(config: NetworkConfig, task: str, sentence: str) -> None:
    with pytest.raises(ConfigError, match=sentence):
        build_network(config, get_task(task))
