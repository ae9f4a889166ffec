"""Does a series rise for good, and by an amount that counts? Pure judgement, nothing is measured here.

A test of significance alone fails any long soak: with samples enough, a rise of one page of memory is significant.
A limit alone fails any noisy one. So both are asked for, and that the rise goes on: what levels off is a cache or an
allocator's arena that fills, not a leak.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from loadtests.estimates.trend import Trend, trend
from loadtests.outcome import Outcome
from loadtests.verdict import Verdict

SIGNIFICANCE = 0.01
# Of the allowed rise, what the second half must promise by itself.
LATE_SHARE = 0.5


@dataclass(frozen=True)
class Watched:
    """A quantity that must not rise: over the soak by more than `rise` in its unit and `share` of its median."""

    name: str
    unit: str
    rise: float
    share: float

    def allowed(self, level: float) -> float:
        """The rise that still counts as none, at that median."""
        return max(self.rise, self.share * level)


# The pages of a 512 px picture, its mask and their copies are some 16 MiB; a soak that frees them late must pass.
MEMORY = Watched("memory", "MiB", 32.0, 0.05)
DESCRIPTORS = Watched("file descriptors", "", 10.0, 0.05)
PENDING = Watched("pending requests", "", 2.0, 0.25)
QUEUE = Watched("queue time", "ms", 2.0, 0.25)
P50 = Watched("latency p50", "ms", 2.0, 0.20)
P95 = Watched("latency p95", "ms", 5.0, 0.50)
WATCHED = (MEMORY, DESCRIPTORS, PENDING, QUEUE, P50, P95)


@dataclass(frozen=True, eq=False)
class Series:
    """Samples of a watched quantity: seconds since the start, ascending, and values in its unit; both shape [N]."""

    watched: Watched
    times_s: NDArray[np.float64]
    values: NDArray[np.float64]


@dataclass(frozen=True)
class Finding:
    """What a series does. `trend` is None when it was too short to tell."""

    watched: Watched
    trend: Trend | None
    allowed_rise: float

    @property
    def rising(self) -> bool:
        """Whether it rises for good."""
        found = self.trend
        return (
            found is not None
            and found.p_value < SIGNIFICANCE
            and found.rise > self.allowed_rise
            and found.late_rise > LATE_SHARE * self.allowed_rise
        )


def find_trends(series: Sequence[Series]) -> tuple[Finding, ...]:
    """One finding for each series, in their order."""
    return tuple(_finding(each) for each in series)


def _finding(series: Series) -> Finding:
    found = trend(series.times_s, series.values)
    return Finding(series.watched, found, series.watched.allowed(found.level) if found else series.watched.rise)


@dataclass(frozen=True)
class SoakVerdict:
    """The outcome of a soak and the sentences behind it: what rises or missed, or why it cannot be trusted."""

    outcome: Outcome
    reasons: tuple[str, ...]


def judge_soak(load: Verdict, findings: Sequence[Finding]) -> SoakVerdict:
    """Missed when an objective or a series is; invalid when the load was, or when a series is too short to tell that
    nothing rises.
    """
    rising = tuple(_rise(finding) for finding in findings if finding.rising)
    missed = tuple(f"{result.name} missed its objective." for result in load.results if not result.met)
    short = tuple(
        f"{finding.watched.name}: too few samples to tell a trend; soak longer."
        for finding in findings
        if not finding.trend
    )
    if load.invalid_reasons:
        return SoakVerdict(Outcome.INVALID, (*load.invalid_reasons, *short, *rising))
    if rising or missed:
        return SoakVerdict(Outcome.MISSED, (*rising, *missed, *short))
    return SoakVerdict(Outcome.INVALID if short else Outcome.PASSED, short)


def _rise(finding: Finding) -> str:
    found, watched = finding.trend, finding.watched
    if found is None:  # pragma: no cover - only what rises gets here
        return ""
    unit = f" {watched.unit}" if watched.unit else ""
    return (
        f"{watched.name} rises: {found.rise:+.3g}{unit} over the soak, {found.slope_per_s * 3600:+.3g}{unit} an hour, "
        f"allowed {finding.allowed_rise:.3g}{unit}."
    )
