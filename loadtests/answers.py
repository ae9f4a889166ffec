"""The contract of an endpoint's answers, as a client sees it, and whether an answer keeps it.

A wrong answer that comes fast must not count as a fast answer. What is checked here is the form of every answer;
whether a mask is the right one is `correctness`'s part, and whether it is a good one is left to training's evaluation.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from fovea_client.requests import ModelConfig
from numpy.typing import NDArray

IMAGE_INPUT = "image"
SEGMENTATION = ("mask", "probability")
CLASSIFICATION = ("label", "probability")

Outputs = Mapping[str, NDArray[Any]]


@dataclass(frozen=True)
class Contract:
    """What a model answers with.

    Attributes:
        outputs: the names to ask for; the first one is what answers are compared by.
        fault_in: what is wrong with the form of an answer, or None.
    """

    outputs: tuple[str, ...]
    fault_in: Callable[[Outputs], str | None]


def contract_of(config: ModelConfig) -> Contract:
    """The contract that a model's outputs stand for: masks, labels, or any arrays that are not empty."""
    if set(SEGMENTATION) <= set(config.outputs):
        return Contract(SEGMENTATION, segmentation_fault)
    if set(CLASSIFICATION) <= set(config.outputs):
        return Contract(CLASSIFICATION, classification_fault)
    return Contract(config.outputs, lambda outputs: _missing(outputs, config.outputs))


def segmentation_fault(outputs: Outputs) -> str | None:
    """What is wrong with a segmentation, or None.

    Expected: `mask` and `probability`, both uint8, shape [H, W], not empty, of the same size.
    """
    if fault := _missing(outputs, SEGMENTATION):
        return fault
    for name in SEGMENTATION:
        if outputs[name].dtype != np.uint8:
            return f"wrong answer: '{name}' is {outputs[name].dtype}, not uint8"
        if outputs[name].ndim != 2:
            return f"wrong answer: '{name}' has shape {list(outputs[name].shape)}, not [H, W]"
    if outputs["mask"].shape != outputs["probability"].shape:
        return "wrong answer: 'mask' and 'probability' differ in shape"
    return None


def classification_fault(outputs: Outputs) -> str | None:
    """What is wrong with a classification, or None.

    Expected: `label`, int32, shape [1], that names one of the classes of `probability`, float32, shape [classes].
    """
    if fault := _missing(outputs, CLASSIFICATION):
        return fault
    label, probability = outputs["label"], outputs["probability"]
    if label.dtype != np.int32 or label.shape != (1,):
        return f"wrong answer: 'label' is {label.dtype} of shape {list(label.shape)}, not int32 of shape [1]"
    if probability.dtype != np.float32 or probability.ndim != 1:
        return f"wrong answer: 'probability' is {probability.dtype} of shape {list(probability.shape)}, not float32 [C]"
    if not 0 <= label[0] < probability.size:
        return f"wrong answer: label {label[0]} names none of {probability.size} classes"
    return None


def _missing(outputs: Outputs, names: tuple[str, ...]) -> str | None:
    for name in names:
        if name not in outputs:
            return f"wrong answer: output '{name}' is missing"
        if outputs[name].size == 0:
            return f"wrong answer: '{name}' has shape {list(outputs[name].shape)}, which is empty"
    return None
