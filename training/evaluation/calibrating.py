"""What makes a network's probabilities believable: fitted on training folds, never on what judges the network.

Temperature: Guo et al., "On calibration of modern neural networks", ICML 2017, section 4.2. The best temperature is
found by golden-section search (Kiefer, "Sequential minimax search for a maximum", Proceedings of the American
Mathematical Society 4 (1953)): the negative log-likelihood is convex in its inverse, so it has one minimum.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from tasks import Kind, TaskSpec
from tasks.metrics import histogram_curves
from training.errors import DataError
from training.evaluation.judging import evaluate
from training.evaluation.tally import FIELD_OF_VIEW
from training.fitted import FittedSample, fit_sample
from training.samples import Sample
from training.serving_module import Calibration, ServingModule, normalise

_PIXELS_A_PICTURE = 20_000
_TEMPERATURES = (0.05, 20.0)
# Beyond these the logit of the threshold would say more about outliers than about the network.
_THRESHOLDS = (0.05, 0.95)


def fit_calibration(
    network: nn.Module, samples: Sequence[Sample], task: TaskSpec, *, learnt: bool = False
) -> Calibration:
    """Return the threshold with the largest Dice (binary only), then the temperature with the smallest NLL.

    Args:
        network: logits as `training.networks.build_network` says; put into evaluation mode.
        samples: of training folds; those that steered the training where there are any.
        task: of the network and the samples.
        learnt: whether the network was trained on these very pictures. It is surer of them than of others. For a binary
            segmentation nothing is fitted then: on CHASE_DB1 both parts made it worse (Dice .782 for .784, area under
            the ROC curve .979 for .980, because bytes saturate). The temperature of several classes still helps
            (calibration error of eye_disease .045 for .068, of dubai_aerial .043 for .048).

    Raises:
        DataError: no samples, or one that cannot be used.
    """
    if not samples:
        raise DataError("there are no pictures to fit a calibration on; set data.validation_share above 0")
    network.eval()
    calibration = Calibration()
    if task.kind is Kind.BINARY_SEGMENTATION:
        if learnt:
            return calibration
        calibration = Calibration(threshold=best_threshold(network, samples, task))
    logits, target = _logits_and_targets(network, samples, task)
    return replace(calibration, temperature=best_temperature(logits - calibration.shift, target))


def best_threshold(network: nn.Module, samples: Sequence[Sample], task: TaskSpec) -> float:
    """Return the probability, 0.05–0.95, from which on a pixel counts as foreground where pooled Dice is largest.

    Measured at the pictures' own size inside the published field of view, as judging does.
    """
    module = ServingModule(network, task)
    histogram = sum(
        (item.tally.counts[FIELD_OF_VIEW].sum(axis=0) for item in evaluate(module, samples, task)),
        start=np.zeros((2, 256), np.int64),
    )
    curves = histogram_curves(histogram)
    total = curves.precision + curves.recall
    dice = np.divide(2 * curves.precision * curves.recall, total, out=np.zeros_like(total), where=total > 0)
    # Point n of the curves predicts what lies at byte 256 - n or above; a byte stands for half a step around it.
    byte = 256 - np.arange(len(dice))
    probability = (byte - 0.5) / 255
    allowed = (probability >= _THRESHOLDS[0]) & (probability <= _THRESHOLDS[1])
    best = int(np.argmax(np.where(allowed, dice, -1.0)))
    return float(probability[best]) if dice[best] > 0 else 0.5


def best_temperature(logits: torch.Tensor, target: torch.Tensor) -> float:
    """Return the temperature, 0.05–20, at which the mean negative log-likelihood is smallest.

    Args:
        logits: float (cases,) of the foreground, or (cases, outputs).
        target: (cases,), 0–1 of the foreground, or the output's index.
    """
    wide, true = logits.double(), target.double() if logits.ndim == 1 else target.long()
    loss = functional.binary_cross_entropy_with_logits if logits.ndim == 1 else functional.cross_entropy
    low, high = (math.log(bound) for bound in _TEMPERATURES)
    return math.exp(_golden_section(lambda value: float(loss(wide / math.exp(value), true)), low, high))


def _logits_and_targets(
    network: nn.Module, samples: Sequence[Sample], task: TaskSpec
) -> tuple[torch.Tensor, torch.Tensor]:
    pairs = [_cases(network, fit_sample(sample, task), task, index) for index, sample in enumerate(samples)]
    return torch.cat([logits for logits, _ in pairs]), torch.cat([target for _, target in pairs])


def _cases(network: nn.Module, fitted: FittedSample, task: TaskSpec, seed: int) -> tuple[torch.Tensor, torch.Tensor]:
    device = next((parameter.device for parameter in network.parameters()), torch.device("cpu"))
    pixels = torch.from_numpy(np.ascontiguousarray(fitted.pixels)).permute(2, 0, 1)[None].float().to(device)
    with torch.inference_mode():
        logits = network(normalise(pixels))[0].float().cpu()
    if task.kind is Kind.CLASSIFICATION:
        return logits[None], torch.tensor([fitted.label])
    chosen = _subsample(np.flatnonzero(fitted.weight >= 128), seed)
    target = fitted.target.ravel()[chosen].astype(np.float64)
    flat = logits.flatten(1)[:, torch.from_numpy(chosen)].T
    if task.kind is Kind.BINARY_SEGMENTATION:
        return flat[:, 0], torch.from_numpy(target >= 128)
    return flat, torch.from_numpy(target)


def _subsample(
    places: np.ndarray[tuple[int], np.dtype[np.intp]], seed: int
) -> np.ndarray[tuple[int], np.dtype[np.intp]]:
    if len(places) <= _PIXELS_A_PICTURE:
        return places
    return np.sort(np.random.default_rng(seed).choice(places, _PIXELS_A_PICTURE, replace=False))


def _golden_section(function: Callable[[float], float], low: float, high: float, steps: int = 40) -> float:
    """Return where a function with one minimum is smallest; each step leaves 62 % of the interval."""
    share = (math.sqrt(5) - 1) / 2
    left, right = high - share * (high - low), low + share * (high - low)
    at_left, at_right = function(left), function(right)
    for _ in range(steps):
        if at_left < at_right:
            high, right, at_right = right, left, at_left
            left = high - share * (high - low)
            at_left = function(left)
        else:
            low, left, at_left = left, right, at_right
            right = low + share * (high - low)
            at_right = function(right)
    return (low + high) / 2
