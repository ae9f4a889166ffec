"""What a format is: how it is written, how it is run for the parity gate, and how far it may be off."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from tasks import Kind, TaskSpec
from training.serving_module import ServingModule

# The pytorch backend finds a TorchScript module's tensors by the index in their name; all formats share the names.
INPUT_NAME = "pixels__0"
OUTPUT_NAMES: dict[Kind, tuple[str, ...]] = {
    Kind.BINARY_SEGMENTATION: ("probability__0",),
    Kind.SEMANTIC_SEGMENTATION: ("mask__0", "probability__1"),
    Kind.CLASSIFICATION: ("probability__0",),
}

Pixels = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class Answer:
    """What a network answers to a batch.

    Attributes:
        served: the outputs in the order of `OUTPUT_NAMES`, as `ServingModule.forward` describes them.
        probability: float32 0–1, just before arg-max and rounding: (batch, size, size),
            (batch, predicted classes, size, size) or (batch, classes), where it is itself what is served.
    """

    served: tuple[npt.NDArray[Any], ...]
    probability: npt.NDArray[np.float32]


Runner = Callable[[Pixels], Answer]


@dataclass(frozen=True)
class Budget:
    """How far an artefact may be from the eager FP32 network.

    Attributes:
        max_abs_error: of the probability, any value of any picture.
        max_level_error: of the served byte (0–255), any pixel of any picture.
        disagreement: share of the pixels, or of the pictures, that get another class.
        quality_difference: of the task's figure (`tasks.quality`) against the expert.
        reason: why these figures.
    """

    max_abs_error: float
    max_level_error: int
    disagreement: float
    quality_difference: float
    reason: str


@dataclass(frozen=True)
class Format:
    """An export format.

    Attributes:
        file_name: in the model's version folder, as its config.pbtxt names it.
        write: (module, task, metadata to embed, path) → writes the file.
        load: path → a function that runs the file on uint8 (batch, size, size, 3).
        budget: what the parity gate holds it to.
        packages: distributions whose versions provenance records.
    """

    file_name: str
    write: Callable[[ServingModule, TaskSpec, Mapping[str, str], Path], None]
    load: Callable[[Path], Runner]
    budget: Budget
    packages: tuple[str, ...]


def answer_of(module: ServingModule, batch: torch.Tensor) -> Answer:
    """Return what a module, eager or traced, answers to uint8 (batch, size, size, 3)."""
    outputs = module(batch)
    served = outputs if isinstance(outputs, tuple) else (outputs,)
    # A probability that is served as it is must be measured as it is served.
    before = served[0] if served[0].is_floating_point() else module.probability(batch)
    return Answer(tuple(output.numpy() for output in served), before.numpy())
