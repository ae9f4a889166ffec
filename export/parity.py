"""The gate: an artefact must answer as the trained network does, on real pictures, alone and in a batch."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from export.artefact import Budget, Format
from export.comparison import compare, disagreement, quality_difference
from export.errors import ParityError
from export.pictures import Picture
from tasks import TaskSpec
from tasks.checksums import sha256_of
from tasks.quality import FIGURES
from training.serving_module import ServingModule


@dataclass(frozen=True)
class ParityReport:
    """How far an artefact is from the eager FP32 network.

    Attributes:
        format: name of the format.
        sha256: of the artefact that was measured.
        images: how many pictures it was measured on.
        max_abs_error, mean_abs_error: of the probability (0–1), over all values.
        max_level_error: of the served byte (0–255); 0 where none is served.
        disagreement: largest share of a picture's pixels, or of the pictures, that get another class.
        figure: name of the task's figure, `tasks.quality.FIGURES`.
        quality_difference: of that figure. Dice is a picture's, and the largest difference counts; mean IoU and
            macro-F1 are figures of a set and pooled over all pictures.
        budget: what is allowed.
    """

    format: str
    sha256: str
    images: int
    max_abs_error: float
    mean_abs_error: float
    max_level_error: int
    disagreement: float
    figure: str
    quality_difference: float
    budget: Budget

    @property
    def passed(self) -> bool:
        """Whether every figure is within its budget; a NaN is not."""
        return (
            self.max_abs_error <= self.budget.max_abs_error
            and self.max_level_error <= self.budget.max_level_error
            and self.disagreement <= self.budget.disagreement
            and self.quality_difference <= self.budget.quality_difference
        )

    def to_dict(self) -> dict[str, Any]:
        """Return the figures and the verdict, ready for JSON."""
        return asdict(self) | {"passed": self.passed}


def measure_parity(
    name: str,
    export_format: Format,
    path: Path,
    module: ServingModule,
    pictures: Sequence[Picture],
    task: TaskSpec,
    *,
    batch: int,
) -> ParityReport:
    """Run the artefact at `path` and the network that it was made from on every picture and compare.

    Each picture is run alone and again in a batch of the served size: a traced batch size, or a fault in the last rows,
    would show only there.

    Raises:
        ParityError: the artefact cannot be run at all.
    """
    alone: list[Sequence[Picture]] = [[picture] for picture in pictures]
    try:
        run = export_format.load(path)
        passes = [[compare(module, run, group, task) for group in groups] for groups in (alone, _full(pictures, batch))]
    # Whatever a foreign runtime raises about a broken file, the file is what is wrong.
    except Exception as error:
        raise ParityError(f"{path.name} ({name}) cannot be run: {error}; export it again") from error
    every = [compared for compared_pass in passes for compared in compared_pass]
    return ParityReport(
        format=name,
        sha256=sha256_of(path),
        images=len(pictures),
        # NumPy's max and mean keep a NaN; Python's would lose it.
        max_abs_error=float(np.max([compared.max_abs for compared in every])),
        mean_abs_error=float(np.mean([compared.mean_abs for compared in every])),
        max_level_error=max(compared.max_level for compared in every),
        disagreement=disagreement(every, task),
        figure=FIGURES[task.kind],
        quality_difference=max(quality_difference(compared_pass, task) for compared_pass in passes),
        budget=export_format.budget,
    )


def require_parity(report: ParityReport) -> None:
    """Refuse an artefact over its budget.

    Raises:
        ParityError: names every figure and its budget.
    """
    if not report.passed:
        allowed = report.budget
        raise ParityError(
            f"{report.format} is not placed: over {report.images} pictures its max abs error is "
            f"{report.max_abs_error:.2e} (budget {allowed.max_abs_error:.0e}), its bytes are up to "
            f"{report.max_level_error} of 255 off (budget {allowed.max_level_error}), a share of "
            f"{report.disagreement:.2e} gets another class (budget {allowed.disagreement:.0e}) and its {report.figure} "
            f"differs by {report.quality_difference:.5f} (budget {allowed.quality_difference})"
        )


def _full(pictures: Sequence[Picture], batch: int) -> list[Sequence[Picture]]:
    return [
        [pictures[(start + row) % len(pictures)] for row in range(batch)] for start in range(0, len(pictures), batch)
    ]
