"""The gate: an artefact must answer as the trained network does, on real pictures, alone and in a batch."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from export.artefact import Budget, Format, Runner
from export.comparison import Compared, Expected, compare, disagreement, quality_difference
from export.errors import ParityError
from tasks import TaskSpec
from tasks.checksums import sha256_of
from tasks.quality import FIGURES, quality


@dataclass(frozen=True)
class PictureParity:
    """One picture, compared alone.

    Attributes:
        name: of the picture.
        expected, found: the task's figure of the trained network and of the artefact, 0–1.
        disagreement: share of the pixels, or 0 or 1 for the label, that get another class.
        max_abs_error: of the probability.
    """

    name: str
    expected: float
    found: float
    disagreement: float
    max_abs_error: float


@dataclass(frozen=True)
class ParityReport:
    """How far an artefact is from the eager FP32 network.

    Attributes:
        format: name of the format.
        sha256: of the artefact that was measured.
        companions_sha256: of the files beside it that its format consists of, by name.
        images: how many pictures it was measured on.
        max_abs_error, mean_abs_error: of the probability (0–1), over all values.
        mean_rel_error: mean absolute error / mean of the expected probability.
        max_level_error: of the served byte (0–255); 0 where none is served.
        disagreement: largest share of a picture's pixels, or of the pictures, that get another class.
        figure: name of the task's figure, `tasks.quality.FIGURES`.
        quality_difference: of that figure. Dice is a picture's, and the largest difference counts; mean IoU and
            macro-F1 are figures of a set and pooled over all pictures.
        float_layers: layers that stayed FP32 in an artefact of lower precision.
        budget: what is allowed.
        pictures: each of them.
        diverges: the first layer that does, where the artefact is over its budget.
    """

    format: str
    sha256: str
    images: int
    max_abs_error: float
    mean_abs_error: float
    mean_rel_error: float
    max_level_error: int
    disagreement: float
    figure: str
    quality_difference: float
    budget: Budget
    pictures: tuple[PictureParity, ...]
    companions_sha256: Mapping[str, str] = field(default_factory=dict)
    float_layers: tuple[str, ...] = ()
    diverges: str = ""

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

    def summary(self) -> dict[str, Any]:
        """Return them without the single pictures: what a release carries."""
        return {name: value for name, value in self.to_dict().items() if name not in ("pictures", "diverges")}


def measure_parity(
    name: str, export_format: Format, path: Path, expected: Sequence[Expected], task: TaskSpec, *, batch: int
) -> ParityReport | None:
    """Run the artefact at `path` on every picture and compare with what the trained network answered.

    Each picture is run alone and, where that is within the budget, again in a batch of the served size: a traced batch
    size, or a fault in the last rows, would show only there.

    Returns:
        the report; None if this machine cannot run the format at all.

    Raises:
        ParityError: the artefact cannot be run although its format can.
    """
    try:
        run = export_format.load(path)
        if run is None:
            return None
        alone = [each for one in expected for each in compare([one], run, task)]
        report = _report(name, export_format, path, expected, task, [alone])
        if report.passed:
            report = _report(name, export_format, path, expected, task, [alone, _batches(expected, run, task, batch)])
    # Whatever a foreign runtime raises about a broken file, the file is what is wrong.
    except Exception as error:
        raise ParityError(f"{path.name} ({name}) cannot be run: {error}; export it again") from error
    return report


def _report(
    name: str,
    export_format: Format,
    path: Path,
    expected: Sequence[Expected],
    task: TaskSpec,
    passes: Sequence[Sequence[Compared]],
) -> ParityReport:
    every = [each for one_pass in passes for each in one_pass]
    return ParityReport(
        format=name,
        sha256=sha256_of(path),
        companions_sha256={each: sha256_of(path.with_name(each)) for each in export_format.companions},
        images=len(expected),
        # NumPy's max and mean keep a NaN; Python's would lose it.
        max_abs_error=float(np.max([each.max_abs for each in every])),
        mean_abs_error=float(np.mean([each.mean_abs for each in every])),
        mean_rel_error=float(np.mean([each.mean_abs for each in every]) / np.mean([each.magnitude for each in every])),
        max_level_error=max(each.max_level for each in every),
        disagreement=disagreement(every, task),
        figure=FIGURES[task.kind],
        quality_difference=max(quality_difference(one_pass, task) for one_pass in passes),
        budget=export_format.budget,
        pictures=tuple(
            PictureParity(
                each.picture.name,
                quality(found.expected, task),
                quality(found.found, task),
                found.disagreement,
                found.max_abs,
            )
            for each, found in zip(expected, passes[0], strict=True)
        ),
    )


def require_parity(report: ParityReport) -> None:
    """Refuse an artefact over its budget.

    Raises:
        ParityError: names every figure and its budget, and where the artefact begins to diverge.
    """
    if not report.passed:
        allowed = report.budget
        raise ParityError(
            f"{report.format} is not placed: over {report.images} pictures its max abs error is "
            f"{report.max_abs_error:.2e} (budget {allowed.max_abs_error:.0e}), its bytes are up to "
            f"{report.max_level_error} of 255 off (budget {allowed.max_level_error}), a share of "
            f"{report.disagreement:.2e} gets another class (budget {allowed.disagreement:.0e}) and its {report.figure} "
            f"differs by {report.quality_difference:.5f} (budget {allowed.quality_difference})"
            + (f"; {report.diverges}" if report.diverges else "")
        )


def _batches(expected: Sequence[Expected], run: Runner, task: TaskSpec, batch: int) -> list[Compared]:
    """Return every picture compared in full batches that begin anew where the pictures end."""
    starts = range(0, len(expected), batch)
    full = [[expected[(start + row) % len(expected)] for row in range(batch)] for start in starts]
    return [each for group in full for each in compare(group, run, task)]
