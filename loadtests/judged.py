"""A piece of load with its figures and the verdict on them: what `capacity`, `compare` and `soak` are made of."""

from dataclasses import dataclass

from loadtests.drive import Drive
from loadtests.measurements import Measurements, measure
from loadtests.slo import Objectives
from loadtests.verdict import Verdict, judge


@dataclass(frozen=True, eq=False)
class Judged:
    """What was driven, measured and judged."""

    driven: Drive
    measured: Measurements
    verdict: Verdict


def judged(driven: Drive, objectives: Objectives) -> Judged:
    """The figures of a drive after its warm-up, against the objectives."""
    load = driven.load
    measured = measure(driven.recording, driven.due_ns, warm_up_s=load.warm_up_s, duration_s=load.duration_s)
    return Judged(driven, measured, judge(measured, objectives, generator_faults=driven.faults))
