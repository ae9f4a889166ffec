"""Everything known about a finished run: what the reports are written from."""

from dataclasses import dataclass

from loadtests.measurements import Measurements
from loadtests.recorder import Recording
from loadtests.settings import RunSettings
from loadtests.slo import Objectives
from loadtests.verdict import Verdict

# Below this many requests the 99th percentile by nearest rank is the slowest request.
MEANINGFUL_P99_COUNT = 100


@dataclass(frozen=True)
class RunResult:
    """One run, from its settings to its verdict. `started_at` is UTC, ISO 8601."""

    settings: RunSettings
    started_at: str
    images_count: int
    recording: Recording
    objectives: Objectives
    measured: Measurements
    verdict: Verdict

    def remarks(self) -> tuple[str, ...]:
        """Sentences a reader of the figures should know."""
        count = self.measured.measured
        if 0 < count < MEANINGFUL_P99_COUNT:
            return (f"With {count} measured requests p99 is the slowest of them; {MEANINGFUL_P99_COUNT} or more tell.",)
        return ()
