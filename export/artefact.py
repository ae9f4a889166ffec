"""What a format is: how it is written, how it is run for the parity gate, and how far it may be off."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from export.errors import ExportError
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
            (batch, predicted classes, size, size) or (batch, classes), where it is itself what is served. None if the
            artefact cannot be asked for it; then what is served is all that can be compared.
    """

    served: tuple[npt.NDArray[Any], ...]
    probability: npt.NDArray[np.float32] | None


Runner = Callable[[Pixels], Answer]
# Outputs by the name of the layer, as the network's source calls it.
Layers = dict[str, npt.NDArray[np.float32]]


@dataclass(frozen=True)
class Budget:
    """How far an artefact may be from the eager FP32 network.

    Attributes:
        max_abs_error: of the probability, any value of any picture.
        max_level_error: of the served byte (0–255), any pixel of any picture.
        disagreement: share of the pixels, or of the pictures, that get another class.
        quality_difference: of the task's figure (`tasks.quality`) against the expert.
        layer_error: from where on a layer counts as diverging: mean absolute error / mean absolute value of its output.
        reason: why these figures.
    """

    max_abs_error: float
    max_level_error: int
    disagreement: float
    quality_difference: float
    layer_error: float
    reason: str


@dataclass(frozen=True)
class Material:
    """What an artefact is made from.

    Attributes:
        module: the trained network as it is served.
        task: of the network.
        metadata: what the artefact says of itself wherever it is copied to.
        calibration: reads pictures that the network was trained on, uint8 (size, size, 3), for formats that need some.
            Raises ExportError if there are none.
        kept_float: layers that stay FP32 in a format of lower precision; the gate asks for them.
    """

    module: ServingModule
    task: TaskSpec
    metadata: Mapping[str, str]
    calibration: Callable[[], Sequence[Pixels]]
    kept_float: frozenset[str] = frozenset()

    def learnt_pictures(self) -> Sequence[Pixels]:
        """Return the pictures to calibrate on.

        Raises:
            ExportError: there are none.
        """
        pictures = self.calibration()
        if not pictures:
            raise ExportError(
                "quantisation needs pictures to calibrate on, and there are none; name some with calibration="
            )
        return pictures


@dataclass(frozen=True)
class Format:
    """An export format.

    Attributes:
        file_name: in the model's version folder, as its config.pbtxt names it.
        write: (material, path) → writes the file. Raises ExportError.
        load: path → a function that runs the file on uint8 (batch, size, size, 3), or None where this machine cannot.
        budget: what the parity gate holds it to.
        packages: distributions whose versions provenance records.
        by_default: whether it is written where no formats are named.
        companions: names of the further files that are written beside it.
        needs: formats that it is made from; they are exported with it.
        layers: (path, one picture) → what its layers answer, if that can be asked.
        kept: path → the layers that stayed FP32 in it, where that is a question.
        islands: whether layers may stay FP32 until it is within its budget.
        order: (path, reader of pictures to calibrate on) → the layers by what they cost, the worst first; by where it
            diverges from the trained network if None.
    """

    file_name: str
    write: Callable[[Material, Path], None]
    load: Callable[[Path], Runner | None]
    budget: Budget
    packages: tuple[str, ...]
    by_default: bool = False
    companions: tuple[str, ...] = ()
    needs: tuple[str, ...] = ()
    layers: Callable[[Path, Pixels], Layers] | None = None
    kept: Callable[[Path], list[str]] | None = None
    islands: bool = False
    order: Callable[[Path, Callable[[], Sequence[Pixels]]], list[str]] | None = None


def answer_of(module: ServingModule, batch: torch.Tensor) -> Answer:
    """Return what a module, eager or traced, answers to uint8 (batch, size, size, 3)."""
    served = outputs_of(module(batch))
    # A probability that is served as it is must be measured as it is served.
    before = served[0] if served[0].is_floating_point() else module.probability(batch)
    return Answer(tuple(output.numpy() for output in served), before.numpy())


def outputs_of(answer: torch.Tensor | Sequence[torch.Tensor]) -> tuple[torch.Tensor, ...]:
    """Return the outputs of a module's call; one with a single output gives that alone."""
    return (answer,) if isinstance(answer, torch.Tensor) else tuple(answer)


def served_only(answer: torch.Tensor | Sequence[torch.Tensor]) -> Answer:
    """Return the answer, on any device, of an artefact that has no tensors inside which could be read."""
    served = tuple(output.cpu().numpy() for output in outputs_of(answer))
    return Answer(served, None if served[-1].dtype == np.uint8 else served[-1])
