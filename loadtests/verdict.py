"""Did the endpoint keep its objectives? Pure judgement of measured figures, nothing is read or written here."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from loadtests.measurements import Measurements
from loadtests.outcome import Outcome
from loadtests.slo import Objectives

LAG = "generator_lag_p99_ms"
CPU = "generator_cpu_ratio"
LOWER_LIMITS = frozenset({"achieved_rate_ratio", "correct_ratio"})


@dataclass(frozen=True)
class ObjectiveResult:
    """One objective against what was measured, in the unit of its name. `measured` is None when nothing was."""

    name: str
    bound: Literal["max", "min"]
    limit: float
    measured: float | None

    @property
    def met(self) -> bool:
        """Whether the limit held. A limit that is just reached holds; one that was not measured does not."""
        if self.measured is None:
            return False
        return self.measured <= self.limit if self.bound == "max" else self.measured >= self.limit


@dataclass(frozen=True)
class Verdict:
    """Every objective with its result, and the reasons, if any, why the run cannot be trusted."""

    results: tuple[ObjectiveResult, ...]
    invalid_reasons: tuple[str, ...]

    @property
    def outcome(self) -> Outcome:
        """Invalid goes before missed: figures that cannot be trusted accuse nobody."""
        if self.invalid_reasons:
            return Outcome.INVALID
        return Outcome.PASSED if all(result.met for result in self.results) else Outcome.MISSED


def judge(measured: Measurements, objectives: Objectives, *, generator_faults: Sequence[str] = ()) -> Verdict:
    """The verdict on a run. `generator_faults` are sentences about what went wrong on the generator's side."""
    results = _results(measured, objectives)
    return Verdict(results, (*generator_faults, *_own_faults(measured, objectives)))


def _results(measured: Measurements, objectives: Objectives) -> tuple[ObjectiveResult, ...]:
    latencies = [
        ObjectiveResult(f"{name}_ms", "max", limit, measured.latency_ms.get(name))
        for name, limit in sorted(objectives.latency_ms.items(), key=lambda item: objectives.quantiles[item[0]])
    ]
    figures = {
        "error_ratio": measured.error_ratio,
        "achieved_rate_ratio": measured.achieved_rate_ratio,
        "correct_ratio": measured.correct_ratio,
        LAG: measured.lag_ms.get("p99"),
        CPU: measured.generator_cpu_ratio,
    }
    limits = objectives.model_dump(exclude_none=True)
    if measured.generator_cpu_ratio is None:
        # A generator that could not tell is no fault of the server; whatever kept it from telling is a fault by itself.
        limits.pop(CPU, None)
    others = [ObjectiveResult(name, _bound(name), limits[name], figures[name]) for name in figures if name in limits]
    return (*latencies, *others)


def _bound(name: str) -> Literal["max", "min"]:
    return "min" if name in LOWER_LIMITS else "max"


def _own_faults(measured: Measurements, objectives: Objectives) -> list[str]:
    if measured.measured == 0:
        return ["no request was measured: none was due after the warm-up, or the run ended before."]
    faults = []
    if objectives.correct_ratio is not None and not measured.compared and not measured.errors:
        # Right in form, every one of them: that none was looked at closer is no fault of the server's.
        faults.append("no answer was compared with an expected one: send more requests or lower sample_every.")
    if measured.measured < measured.planned:
        faults.append(f"only {measured.measured} of the {measured.planned} requests due after the warm-up were sent.")
    if measured.lag_ms["p99"] > objectives.generator_lag_p99_ms:
        faults.append(
            f"the generator was late: {LAG} is {measured.lag_ms['p99']:.1f}, over its limit of "
            f"{objectives.generator_lag_p99_ms:g}; give it a core of its own or lower --rate."
        )
    cpu, limit = measured.generator_cpu_ratio, objectives.generator_cpu_ratio
    if cpu is not None and limit is not None and cpu > limit:
        faults.append(
            f"the generator was busy: {CPU} is {cpu:.2f}, over its limit of {limit:g}; share the load among more "
            "--processes."
        )
    return faults
