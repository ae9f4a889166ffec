"""A piece of load with its figures and the verdict on them: what `capacity`, `compare` and `soak` are made of."""

from dataclasses import dataclass

from loadtests.correctness import NO_SAMPLES, Samples
from loadtests.drive import Drive
from loadtests.measurements import Measurements, measure_drive
from loadtests.slo import Slo
from loadtests.verdict import Verdict, judge


@dataclass(frozen=True, eq=False)
class Judged:
    """What was driven, measured and judged."""

    driven: Drive
    measured: Measurements
    verdict: Verdict


def judged(driven: Drive, slo: Slo, samples: Samples = NO_SAMPLES) -> Judged:
    """The figures of a drive after its warm-up, against the objectives; correctness only where something was compared,
    which in a short piece need not be.
    """
    measured = measure_drive(driven, slo, samples)
    objectives = slo.objectives
    if not measured.compared:
        objectives = objectives.model_copy(update={"correct_ratio": None})
    return Judged(driven, measured, judge(measured, objectives, generator_faults=driven.faults))
