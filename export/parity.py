"""The gate: an artefact must answer as the trained network does, on real pictures, alone and in a batch."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from export.artefact import Answer, Format, Pixels
from export.errors import ParityError
from tasks import TaskSpec
from tasks.checksums import sha256_of
from tasks.held_out import HeldOut
from tasks.metrics import dice
from tasks.processing import NetworkInput, postprocess, preprocess
from training.serving_module import ServingModule


@dataclass(frozen=True)
class Picture:
    """A held-out picture as the network takes it, and what the expert says of it."""

    fitted: NetworkInput
    expert: HeldOut


def fit_picture(held_out: HeldOut, task: TaskSpec) -> Picture:
    """Return the picture fitted as serving fits it.

    Raises:
        ImageError: the file is not a usable picture.
    """
    return Picture(preprocess(held_out.image.read_bytes(), task), held_out)


Runner = Callable[[Pixels], Answer]
# What vessels_network serves at once (a test holds them equal): a fault that only a full batch has must show.
BATCH = 8


@dataclass(frozen=True)
class ParityReport:
    """How far an artefact is from the eager FP32 network.

    Attributes:
        format: name of the format.
        sha256: of the artefact that was measured.
        images: how many pictures it was measured on.
        max_abs_error, mean_abs_error: of the probability (0–1), over all pixels.
        max_level_error: of the served byte (0–255).
        dice_difference: the largest of any picture, against the expert's mask.
        max_abs_error_budget, max_level_error_budget, dice_difference_budget: what is allowed.
    """

    format: str
    sha256: str
    images: int
    max_abs_error: float
    mean_abs_error: float
    max_level_error: int
    dice_difference: float
    max_abs_error_budget: float
    max_level_error_budget: int
    dice_difference_budget: float

    @property
    def passed(self) -> bool:
        """Whether every figure is within its budget; a NaN is not."""
        return (
            self.max_abs_error <= self.max_abs_error_budget
            and self.max_level_error <= self.max_level_error_budget
            and self.dice_difference <= self.dice_difference_budget
        )

    def to_dict(self) -> dict[str, Any]:
        """Return the figures and the verdict, ready for JSON."""
        return asdict(self) | {"passed": self.passed}


def measure_parity(
    name: str, export_format: Format, path: Path, module: ServingModule, pictures: Sequence[Picture], task: TaskSpec
) -> ParityReport:
    """Run the artefact and the eager network on every picture and compare.

    Each picture is run alone and again in a batch of the served size: a traced batch size would show only there.

    Raises:
        ParityError: the artefact cannot be run at all.
    """
    sha256 = sha256_of(path)
    try:
        run = export_format.load(path)
        errors = [_compare(_eager(module), run, batch, task) for batch in _batches(pictures)]
    # Whatever a foreign runtime raises about a broken file, the file is what is wrong.
    except Exception as error:
        raise ParityError(f"{path.name} ({name}) cannot be run: {error}; export it again") from error
    return ParityReport(
        format=name,
        sha256=sha256,
        images=len(pictures),
        # NumPy's max and mean keep a NaN; Python's would lose it.
        max_abs_error=float(np.max([error.max_abs for error in errors])),
        mean_abs_error=float(np.mean([error.mean_abs for error in errors])),
        max_level_error=max(error.max_level for error in errors),
        dice_difference=float(np.max([error.dice for error in errors])),
        max_abs_error_budget=export_format.budget.max_abs_error,
        max_level_error_budget=export_format.budget.max_level_error,
        dice_difference_budget=export_format.budget.dice_difference,
    )


def require_parity(report: ParityReport) -> None:
    """Refuse an artefact over its budget.

    Raises:
        ParityError: names every figure that is over its budget.
    """
    if not report.passed:
        raise ParityError(
            f"{report.format} is not placed: over {report.images} pictures its max abs error is "
            f"{report.max_abs_error:.2e} (budget {report.max_abs_error_budget:.0e}), its bytes are up to "
            f"{report.max_level_error} of 255 off (budget {report.max_level_error_budget}) and its Dice differs by "
            f"{report.dice_difference:.5f} (budget {report.dice_difference_budget})"
        )


@dataclass(frozen=True)
class _Error:
    max_abs: float
    mean_abs: float
    max_level: int
    dice: float


def _compare(eager: Runner, artefact: Runner, batch: Sequence[Picture], task: TaskSpec) -> _Error:
    pixels = np.stack([picture.fitted.pixels for picture in batch])
    expected, found = eager(pixels), artefact(pixels)
    difference = np.abs(expected.probability - found.probability)
    levels = np.abs(expected.quantised.astype(np.int16) - found.quantised)
    dices = [
        abs(_dice(expected.quantised[row], picture, task) - _dice(found.quantised[row], picture, task))
        for row, picture in enumerate(batch)
    ]
    return _Error(float(difference.max()), float(difference.mean()), int(levels.max()), max(dices))


def _dice(quantised: Pixels, picture: Picture, task: TaskSpec) -> float:
    prediction = postprocess(quantised, picture.fitted.field_of_view, picture.fitted.geometry, task)
    return dice(prediction.mask[picture.expert.field_of_view] > 0, picture.expert.truth[picture.expert.field_of_view])


def _eager(module: ServingModule) -> Runner:
    def run(pixels: Pixels) -> Answer:
        batch = torch.from_numpy(pixels)
        with torch.inference_mode():
            return Answer(module(batch).numpy(), module.probability(batch).numpy())

    return run


def _batches(pictures: Sequence[Picture]) -> list[Sequence[Picture]]:
    alone: list[Sequence[Picture]] = [[picture] for picture in pictures]
    full = [
        [pictures[(start + row) % len(pictures)] for row in range(BATCH)] for start in range(0, len(pictures), BATCH)
    ]
    return alone + full
