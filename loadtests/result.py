"""Everything known about a finished run: what the reports are written from."""

import math
from dataclasses import dataclass

from loadtests.drive import Drive
from loadtests.measurements import QUANTILES, Measurements
from loadtests.recorder import Recording
from loadtests.settings import RunSettings
from loadtests.slo import Objectives, Slo
from loadtests.verdict import Verdict

# A quantile is told by the requests beyond it: fewer than so many are luck.
BEYOND = 10


@dataclass(frozen=True)
class RunResult:
    """One run, from its settings to its verdict.

    Attributes:
        started_at: UTC, ISO 8601.
        images_count: how many different images were sent.
        compared_with: what sampled answers were compared with, as the end of a sentence.
    """

    settings: RunSettings
    started_at: str
    images_count: int
    driven: Drive
    slo: Slo
    measured: Measurements
    verdict: Verdict
    compared_with: str = "what the server answered before the load"

    @property
    def recording(self) -> Recording:
        """Every request, those of the warm-up too."""
        return self.driven.recording

    @property
    def objectives(self) -> Objectives:
        """What had to hold."""
        return self.slo.objectives

    def remarks(self) -> tuple[str, ...]:
        """Sentences a reader of the figures should know."""
        remarks = (self._closed_loop(), self._failures(), self._few_requests(), self._comparisons())
        return tuple(remark for remark in remarks if remark)

    def _closed_loop(self) -> str:
        users = self.settings.load.users
        if not users:
            return ""
        return f"A closed loop of {users} users: each waits for its answer, so a stall of the server hardly shows."

    def _failures(self) -> str:
        if not self.measured.errors:
            return ""
        return "Failed requests count with the time they took: many quick refusals make the quantiles look fast."

    def _few_requests(self) -> str:
        count = self.measured.measured
        judged = self.objectives.quantiles or {"p99": QUANTILES["p99"]}
        name, highest = max(judged.items(), key=lambda item: item[1])
        least, enough = math.ceil(1 / (1 - highest) - 1e-6), math.ceil(BEYOND / (1 - highest) - 1e-6)
        if not 0 < count < enough:
            return ""
        if count < least:
            return f"With {count} measured requests {name} is the slowest of them; {enough} or more tell."
        beyond = "one is" if count < 2 * least else f"{count // least} are"
        return f"With {count} measured requests only {beyond} slower than {name}; {enough} or more tell."

    def _comparisons(self) -> str:
        measured = self.measured
        if measured.least_agreement is None:
            return ""
        answers = "answer was" if measured.compared == 1 else "answers were"
        return (
            f"{measured.compared} {answers} compared with {self.compared_with}; "
            f"the least agreement was {measured.least_agreement:.3f}, {self.slo.correctness.agreement:g} is correct."
        )
