"""What training minimises, over the pixels (or pictures) that count."""

from collections.abc import Callable

import torch
from torch.nn.functional import binary_cross_entropy_with_logits, cross_entropy, max_pool2d, relu

from tasks import Kind
from training.config import LossConfig

Loss = Callable[[torch.Tensor, torch.Tensor, torch.Tensor, LossConfig, torch.Tensor | None], torch.Tensor]


def bce_dice(
    logits: torch.Tensor, target: torch.Tensor, weight: torch.Tensor, config: LossConfig, _: torch.Tensor | None = None
) -> torch.Tensor:
    """Return (1 - dice_weight) × binary cross-entropy + dice_weight × soft Dice loss, a scalar.

    Soft Dice as in Milletari et al., "V-Net", 3DV 2016, with squared denominators.

    Args:
        logits: float (batch, 1, height, width).
        target: float, the same shape, 0–1.
        weight: float, the same shape; 0 where a pixel does not count.
        config: its `dice_weight`.
    """
    entropy = _binary_entropy(logits, target, weight)
    return (1 - config.dice_weight) * entropy + config.dice_weight * _soft_dice(torch.sigmoid(logits), target, weight)


def focal_tversky(
    logits: torch.Tensor, target: torch.Tensor, weight: torch.Tensor, config: LossConfig, _: torch.Tensor | None = None
) -> torch.Tensor:
    """Return (1 - dice_weight) × binary cross-entropy + dice_weight × focal Tversky loss; arguments as `bce_dice`.

    Abraham and Khan, "A novel focal Tversky loss function with improved attention U-Net", ISBI 2019.
    """
    probability, truth = torch.sigmoid(logits) * weight, target * weight
    found = (probability * truth).sum()
    invented, missed = (probability * (weight - truth)).sum(), ((weight - probability) * truth).sum()
    index = (found + 1) / (found + config.tversky_alpha * invented + config.tversky_beta * missed + 1)
    overlap = (1 - index).clamp_min(1e-6) ** config.focal_gamma
    return (1 - config.dice_weight) * _binary_entropy(logits, target, weight) + config.dice_weight * overlap


def bce_cldice(
    logits: torch.Tensor, target: torch.Tensor, weight: torch.Tensor, config: LossConfig, _: torch.Tensor | None = None
) -> torch.Tensor:
    """Return cross-entropy and an overlap part that mixes soft Dice with clDice; arguments as `bce_dice`.

    Shit et al., "clDice: a novel topology-preserving loss function for tubular structure segmentation", CVPR 2021.
    """
    probability = torch.sigmoid(logits)
    topology = 1 - _centreline_dice(probability * weight, target * weight)
    overlap = (1 - config.cldice_weight) * _soft_dice(probability, target, weight) + config.cldice_weight * topology
    return (1 - config.dice_weight) * _binary_entropy(logits, target, weight) + config.dice_weight * overlap


def classes_cross_entropy(
    logits: torch.Tensor,
    target: torch.Tensor,
    weight: torch.Tensor,
    config: LossConfig,
    class_weights: torch.Tensor | None,
) -> torch.Tensor:
    """Return the mean cross-entropy over what counts, with label smoothing and class weights.

    Args:
        logits: float (batch, classes, …).
        target: long (batch, …), class indices.
        weight: float (batch, …); 0 where it does not count.
        config: its `label_smoothing`.
        class_weights: float (classes,), or None for equal ones.
    """
    losses = cross_entropy(
        logits, target, weight=class_weights, reduction="none", label_smoothing=config.label_smoothing
    )
    counted = weight if class_weights is None else weight * class_weights[target]
    return (losses * weight).sum() / counted.sum().clamp_min(1e-6)


def classes_dice(
    logits: torch.Tensor,
    target: torch.Tensor,
    weight: torch.Tensor,
    config: LossConfig,
    class_weights: torch.Tensor | None,
) -> torch.Tensor:
    """Return (1 - dice_weight) × cross-entropy + dice_weight × mean soft Dice loss over the classes that occur."""
    entropy = classes_cross_entropy(logits, target, weight, config, class_weights)
    counted = weight[:, None]
    probability = torch.softmax(logits, dim=1) * counted
    truth = torch.zeros_like(probability).scatter_(1, target[:, None], 1.0) * counted
    over = [0, *range(2, logits.ndim)]
    overlap = (2 * (probability * truth).sum(over) + 1) / ((probability.square() + truth.square()).sum(over) + 1)
    occurs = truth.sum(over) > 0
    dice = (overlap * occurs).sum() / occurs.sum().clamp_min(1)
    return (1 - config.dice_weight) * entropy + config.dice_weight * (1 - dice)


def _binary_entropy(logits: torch.Tensor, target: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
    losses = binary_cross_entropy_with_logits(logits, target, reduction="none")
    return (losses * weight).sum() / weight.sum().clamp_min(1.0)


def _soft_dice(probability: torch.Tensor, target: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
    found, truth = probability * weight, target * weight
    return 1 - (2 * (found * truth).sum() + 1.0) / (found.square().sum() + truth.square().sum() + 1.0)


def _centreline_dice(probability: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    """Return the harmonic mean of how much of each centreline lies in the other's mask, 0–1."""
    found_line, true_line = _soft_skeleton(probability), _soft_skeleton(target)
    precision = ((found_line * target).sum() + 1) / (found_line.sum() + 1)
    sensitivity = ((true_line * probability).sum() + 1) / (true_line.sum() + 1)
    return 2 * precision * sensitivity / (precision + sensitivity)


def _soft_skeleton(plane: torch.Tensor, iterations: int = 5) -> torch.Tensor:
    """Return a differentiable centreline: vessels are at most twice `iterations` pixels wide at the network's size."""
    skeleton = relu(plane - _open(plane))
    for _ in range(iterations):
        plane = _erode(plane)
        skeleton = skeleton + relu(relu(plane - _open(plane)) * (1 - skeleton))
    return skeleton


def _erode(plane: torch.Tensor) -> torch.Tensor:
    across = -max_pool2d(-plane, (3, 1), 1, (1, 0))
    along = -max_pool2d(-plane, (1, 3), 1, (0, 1))
    return torch.minimum(across, along)


def _open(plane: torch.Tensor) -> torch.Tensor:
    return max_pool2d(_erode(plane), 3, 1, 1)


# A loss is one line; which kinds of task it can train stands beside it.
LOSSES: dict[str, tuple[Loss, frozenset[Kind]]] = {
    "bce_dice": (bce_dice, frozenset({Kind.BINARY_SEGMENTATION})),
    "focal_tversky": (focal_tversky, frozenset({Kind.BINARY_SEGMENTATION})),
    "bce_cldice": (bce_cldice, frozenset({Kind.BINARY_SEGMENTATION})),
    "cross_entropy": (classes_cross_entropy, frozenset({Kind.SEMANTIC_SEGMENTATION, Kind.CLASSIFICATION})),
    "cross_entropy_dice": (classes_dice, frozenset({Kind.SEMANTIC_SEGMENTATION})),
}
