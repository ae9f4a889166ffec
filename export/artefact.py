"""What a format is: how it is written, how it is run for the parity gate, and how far it may be off."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from tasks import TaskSpec
from training.serving_module import ServingModule

# The pytorch backend finds a TorchScript module's tensors by the index in their name; all formats share the names.
INPUT_NAME = "pixels__0"
OUTPUT_NAME = "probability__0"

Pixels = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class Answer:
    """What a network answers to a batch.

    Attributes:
        quantised: uint8 (batch, size, size), as served.
        probability: float32 (batch, size, size), 0–1, just before it is rounded to a byte.
    """

    quantised: npt.NDArray[np.uint8]
    probability: npt.NDArray[np.float32]


@dataclass(frozen=True)
class Budget:
    """How far an artefact may be from the eager FP32 network.

    Attributes:
        max_abs_error: of the probability, any pixel of any picture.
        max_level_error: of the served byte (0–255), any pixel of any picture.
        dice_difference: of the Dice coefficient against the expert, any picture.
        reason: why these figures.
    """

    max_abs_error: float
    max_level_error: int
    dice_difference: float
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
    load: Callable[[Path], Callable[[Pixels], Answer]]
    budget: Budget
    packages: tuple[str, ...]
