"""What training minimises, over the pixels inside the field of view."""

import torch
from torch.nn.functional import binary_cross_entropy_with_logits


def vessel_loss(logits: torch.Tensor, truth: torch.Tensor, weight: torch.Tensor, *, dice_weight: float) -> torch.Tensor:
    """Return (1 - dice_weight) × cross-entropy + dice_weight × soft Dice loss, a scalar.

    Soft Dice as in Milletari et al., "V-Net", 3DV 2016, with squared denominators.

    Args:
        logits: float (batch, 1, height, width).
        truth: float, the same shape, 0–1.
        weight: float, the same shape; 0 where a pixel does not count.
        dice_weight: 0–1.
    """
    counted = weight.sum().clamp_min(1.0)
    entropy = (binary_cross_entropy_with_logits(logits, truth, reduction="none") * weight).sum() / counted
    probability = torch.sigmoid(logits) * weight
    target = truth * weight
    overlap = 2 * (probability * target).sum() + 1.0
    dice = overlap / (probability.square().sum() + target.square().sum() + 1.0)
    return (1 - dice_weight) * entropy + dice_weight * (1 - dice)
