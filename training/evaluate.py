"""How good the trained network is on people it has never seen, through the very functions that serving runs."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from tasks import TaskSpec
from tasks.held_out import read_mask
from tasks.metrics import confusion, roc_auc
from tasks.processing import Prediction, postprocess, preprocess
from training.serving_module import ServingModule
from training.sources import Sample

Metrics = dict[str, float]


@dataclass(frozen=True)
class Evaluated:
    """A held-out sample, its prediction and its metrics inside the field of view."""

    sample: Sample
    prediction: Prediction
    metrics: Metrics


def predict(module: ServingModule, data: bytes, task: TaskSpec) -> Prediction:
    """Return the prediction for an encoded picture: the eager network between serving's own pre- and post-processing.

    Raises:
        ImageError: the bytes are not a usable picture.
    """
    fitted = preprocess(data, task)
    with torch.inference_mode():
        probability = module(torch.from_numpy(fitted.pixels)[None])[0].numpy()
    return postprocess(probability, fitted.field_of_view, fitted.geometry, task)


def evaluate(module: ServingModule, samples: Sequence[Sample], task: TaskSpec) -> Iterable[Evaluated]:
    """Yield each sample with its prediction and metrics as soon as it is done."""
    module.eval()
    for sample in samples:
        prediction = predict(module, sample.image.read_bytes(), task)
        yield Evaluated(sample, prediction, _metrics([(sample, prediction)]))


def pooled_metrics(evaluated: Sequence[Evaluated]) -> Metrics:
    """Return the metrics over all pixels of all pictures together, inside the field of view.

    Returns:
        dice, roc_auc, accuracy, sensitivity and specificity, each 0–1.
    """
    return _metrics([(item.sample, item.prediction) for item in evaluated])


def _metrics(pairs: Sequence[tuple[Sample, Prediction]]) -> Metrics:
    masks, probabilities, truths = [], [], []
    for sample, prediction in pairs:
        # The published field of view and not the one we find: published figures are measured inside it.
        view = read_mask(sample.field_of_view)
        truths.append(read_mask(sample.vessels)[view])
        masks.append(prediction.mask[view] > 0)
        probabilities.append(prediction.probability[view])
    truth = np.concatenate(truths)
    counts = confusion(np.concatenate(masks), truth)
    return {
        "dice": counts.dice,
        "roc_auc": roc_auc(np.concatenate(probabilities), truth),
        "accuracy": counts.accuracy,
        "sensitivity": counts.sensitivity,
        "specificity": counts.specificity,
    }
