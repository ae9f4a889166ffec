"""What the person at the terminal sees of a soak."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from rich.console import Console
from rich.table import Table

from loadtests.soak.judgement import Finding, SoakVerdict
from loadtests.terminal import COLOURS

LINE_PERIOD_S = 15.0


@dataclass
class Progress:
    """A line every LINE_PERIOD_S; call `tick` often."""

    console: Console
    span_s: float
    clock_s: Callable[[], float] = time.monotonic
    _started_s: float | None = None
    _line_s: float = field(default=0.0)

    def tick(self) -> None:
        """Print the line if it is due."""
        now_s = self.clock_s()
        if self._started_s is None:
            self._started_s = self._line_s = now_s
        if now_s - self._line_s >= LINE_PERIOD_S:
            self._line_s = now_s
            self.console.print(f"{now_s - self._started_s:.0f} s of about {self.span_s:.0f} s", highlight=False)


def print_soak(
    console: Console, verdict: SoakVerdict, findings: Sequence[Finding], notes: Sequence[str], file: Path
) -> None:
    """The table of trends, the sentences behind the verdict, and where the file is."""
    console.print(_table(findings))
    for sentence in (*verdict.reasons, *notes):
        console.print(sentence, markup=False, soft_wrap=True)
    outcome = verdict.outcome
    console.print(f"[bold {COLOURS[outcome]}]{outcome.value}[/]  soak: {file}", soft_wrap=True)


def _table(findings: Sequence[Finding]) -> Table:
    table = Table("watched", title="trends over the soak")
    for heading in ("median", "rise", "allowed", "p-value", "result"):
        table.add_column(heading, justify="right")
    for finding in findings:
        table.add_row(finding.watched.name, *_cells(finding))
    return table


def _cells(finding: Finding) -> tuple[str, str, str, str, str]:
    found, unit = finding.trend, finding.watched.unit
    if found is None:
        return "", "", "", "", "[yellow]too short[/]"
    result = "[red]rising[/]" if finding.rising else "[green]steady[/]"
    allowed = f"{finding.allowed_rise:.3g} {unit}"
    return f"{found.level:.4g} {unit}", f"{found.rise:+.3g} {unit}", allowed, f"{found.p_value:.2g}", result
