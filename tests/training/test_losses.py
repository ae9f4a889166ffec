"""Each loss is what its formula says, ignores what does not count, and pulls the network the right way."""

import math

import pytest
import torch

from tasks import Kind
from training.config import LossConfig
from training.losses import LOSSES, bce_cldice, bce_dice, classes_cross_entropy, classes_dice, focal_tversky

SHAPES = {
    Kind.BINARY_SEGMENTATION: (2, 1, 16, 16),
    Kind.SEMANTIC_SEGMENTATION: (2, 5, 16, 16),
    Kind.CLASSIFICATION: (6, 4),
}
CASES = [(name, kind) for name, (_, kinds) in LOSSES.items() for kind in sorted(kinds)]


def batch(kind: Kind, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Logits, target and weight as a network and `to_tensors` give them."""
    draw = torch.Generator().manual_seed(seed)
    shape = SHAPES[kind]
    logits = torch.randn(shape, generator=draw)
    if kind is Kind.BINARY_SEGMENTATION:
        return logits, (torch.rand(shape, generator=draw) > 0.7).float(), torch.ones(shape)
    plane = (shape[0], *shape[2:])
    return logits, torch.randint(0, shape[1], plane, generator=draw), torch.ones(plane)


def certain(target: torch.Tensor, kind: Kind) -> torch.Tensor:
    """Logits that are sure of the target."""
    if kind is Kind.BINARY_SEGMENTATION:
        return (target * 2 - 1) * 20
    return torch.nn.functional.one_hot(target, SHAPES[kind][1]).movedim(-1, 1).float() * 40 - 20


@pytest.mark.parametrize(("name", "kind"), CASES)
def test_right_answers_cost_nothing_and_wrong_ones_much(name: str, kind: Kind) -> None:
    loss, _ = LOSSES[name]
    _, target, weight = batch(kind)
    right = certain(target, kind)
    assert loss(right, target, weight, LossConfig(), None) < 0.05
    assert loss(-right, target, weight, LossConfig(), None) > 1


@pytest.mark.parametrize(("name", "kind"), CASES)
def test_what_does_not_count_changes_nothing(name: str, kind: Kind) -> None:
    loss, _ = LOSSES[name]
    logits, target, weight = batch(kind)
    weight[0] = 0
    spoiled_logits, spoiled_target = logits.clone(), target.clone()
    spoiled_logits[0] = 9.0
    spoiled_target[0] = 0
    expected = loss(logits, target, weight, LossConfig(), None)
    assert loss(spoiled_logits, spoiled_target, weight, LossConfig(), None) == pytest.approx(float(expected), abs=1e-6)


@pytest.mark.parametrize(("name", "kind"), CASES)
def test_a_step_against_the_gradient_lowers_it(name: str, kind: Kind) -> None:
    loss, _ = LOSSES[name]
    logits, target, weight = batch(kind)
    logits.requires_grad_()
    before = loss(logits, target, weight, LossConfig(), None)
    before.backward()
    assert logits.grad is not None
    assert torch.isfinite(logits.grad).all()
    after = loss((logits - logits.grad / logits.grad.norm()).detach(), target, weight, LossConfig(), None)
    assert after < before


@pytest.mark.parametrize(("name", "kind"), CASES)
def test_nothing_that_counts_gives_a_number(name: str, kind: Kind) -> None:
    loss, _ = LOSSES[name]
    logits, target, weight = batch(kind)
    assert torch.isfinite(loss(logits, target, torch.zeros_like(weight), LossConfig(), None))


def test_shares_choose_between_the_parts() -> None:
    logits, target, weight = batch(Kind.BINARY_SEGMENTATION)
    entropy = torch.nn.functional.binary_cross_entropy_with_logits(logits, target)
    for loss in (bce_dice, focal_tversky, bce_cldice):
        assert loss(logits, target, weight, LossConfig(dice_weight=0)) == pytest.approx(float(entropy), rel=1e-5)
    dice = float(bce_dice(logits, target, weight, LossConfig(dice_weight=1)))
    probability = logits.sigmoid()
    overlap = (2 * (probability * target).sum() + 1) / (probability.square().sum() + target.square().sum() + 1)
    assert dice == pytest.approx(1 - float(overlap), rel=1e-5)
    without_lines = bce_cldice(logits, target, weight, LossConfig(dice_weight=1, cldice_weight=0))
    assert float(without_lines) == pytest.approx(dice, rel=1e-5)


def test_tversky_with_equal_weights_is_dice_without_squares() -> None:
    logits, target, weight = batch(Kind.BINARY_SEGMENTATION)
    config = LossConfig(dice_weight=1, tversky_alpha=0.5, tversky_beta=0.5, focal_gamma=1)
    probability = logits.sigmoid()
    index = (probability * target).sum() + 1
    index = index / (0.5 * probability.sum() + 0.5 * target.sum() + 1)
    assert float(focal_tversky(logits, target, weight, config)) == pytest.approx(1 - float(index), rel=1e-4)


def test_tversky_punishes_misses_as_its_weights_say() -> None:
    target = torch.zeros(1, 1, 8, 8)
    target[..., :4] = 1
    missed, invented = torch.full_like(target, -20.0), torch.full_like(target, 20.0)
    missed[..., :2] = invented[..., :6] = 20.0
    invented[..., 6:] = -20.0
    weight = torch.ones_like(target)
    config = LossConfig(dice_weight=1, tversky_alpha=0.1, tversky_beta=0.9)
    assert focal_tversky(missed, target, weight, config) > focal_tversky(invented, target, weight, config)


def test_cldice_sees_a_gap_that_dice_hardly_sees() -> None:
    """A line of three pixels' width with a gap: few pixels, but the vessel is broken."""
    target = torch.zeros(1, 1, 33, 65)
    target[..., 15:18, 4:60] = 1
    gap, rim = target.clone(), target.clone()
    gap[..., 15:18, 30:34] = 0
    rim[..., 15, 10:22] = 0  # as many pixels, off the edge of the line
    assert (target - gap).sum() == (target - rim).sum()
    weight, config = torch.ones_like(target), LossConfig(dice_weight=1, cldice_weight=1)
    costs = [float(bce_cldice(found * 40 - 20, target, weight, config)) for found in (gap, rim)]
    assert costs[0] > 1.5 * costs[1]


def test_class_weights_and_smoothing_are_torchs() -> None:
    logits, target, weight = batch(Kind.SEMANTIC_SEGMENTATION)
    weights = torch.tensor([0.5, 1.0, 2.0, 1.0, 3.0])
    ours = classes_cross_entropy(logits, target, weight, LossConfig(), weights)
    assert float(ours) == pytest.approx(float(torch.nn.functional.cross_entropy(logits, target, weights)), rel=1e-5)
    smooth = classes_cross_entropy(logits, target, weight, LossConfig(label_smoothing=0.1), None)
    theirs = torch.nn.functional.cross_entropy(logits, target, label_smoothing=0.1)
    assert float(smooth) == pytest.approx(float(theirs), rel=1e-5)


def test_dice_over_classes_leaves_out_those_that_do_not_occur() -> None:
    target = torch.zeros(1, 8, 8, dtype=torch.long)
    target[:, :4] = 1
    logits = torch.full((1, 5, 8, 8), -20.0)
    logits.scatter_(1, target[:, None], 20.0)
    loss = classes_dice(logits, target, torch.ones(1, 8, 8), LossConfig(dice_weight=1), None)
    assert math.isclose(float(loss), 0.0, abs_tol=0.02)
