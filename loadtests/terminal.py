"""What the person at the terminal, or the CI log, sees during and after a run."""

import time

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn
from rich.table import Table

from loadtests.arrivals import NS_PER_S
from loadtests.histogram import Histogram
from loadtests.measurements import NS_PER_MS
from loadtests.outcome import Outcome
from loadtests.recorder import RIGHT, RowReader
from loadtests.result import RunResult
from loadtests.settings import RunSettings
from loadtests.where_time_went import phases_sentence

LINE_PERIOD_S = 5.0
COLOURS = {Outcome.PASSED: "green", Outcome.MISSED: "red", Outcome.INVALID: "yellow"}


class ProgressDisplay:
    """A bar on a terminal, a plain line every LINE_PERIOD_S elsewhere. Use as a context and call `tick` often."""

    def __init__(self, console: Console, settings: RunSettings) -> None:
        self._console = console
        self._span_s = settings.load.span_s
        self._reader = RowReader(settings.out)
        self._latency, self._failed = Histogram(), 0
        self._reached_s, self._last_line_s = 0.0, time.monotonic()
        columns = (TextColumn("{task.description}"), BarColumn())
        self._bar = Progress(*columns, console=console, transient=True, disable=not console.is_terminal)
        self._task = self._bar.add_task("starting", total=self._span_s)

    def __enter__(self) -> "ProgressDisplay":
        self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.stop()

    def tick(self) -> None:
        """Show the rows that have come since the last call."""
        rows = self._reader.poll()
        self._latency.record(rows["finished_ns"] - rows["intended_ns"])
        self._failed += int((rows["error"] != RIGHT).sum())
        if rows.size:
            # The generator's own clock: its start, on a busy machine, is no part of the load.
            self._reached_s = float(rows["finished_ns"].max()) / NS_PER_S
        now_s = time.monotonic()
        text = _progress_text(self._latency, self._failed)
        self._bar.update(self._task, description=text, completed=min(self._reached_s, self._span_s))
        if not self._console.is_terminal and now_s - self._last_line_s >= LINE_PERIOD_S:
            self._last_line_s = now_s
            self._console.print(f"{self._reached_s:.0f} s of about {self._span_s:.0f} s: {text}")


def _progress_text(latency: Histogram, failed: int) -> str:
    p95_ns = latency.quantile(0.95)
    if p95_ns is None:
        return "no answer yet"
    return f"{latency.count} answers, {failed} failed, p95 {p95_ns / NS_PER_MS:.0f} ms"


def print_result(console: Console, result: RunResult, failed_push: str | None = None) -> None:
    """The table of objectives, why a run is invalid, where the server's time went, and where the reports are."""
    outcome = result.verdict.outcome
    console.print(_table(result))
    sentences = (*result.verdict.invalid_reasons, *result.remarks(), phases_sentence(result), failed_push)
    for sentence in filter(None, sentences):
        console.print(sentence, markup=False, soft_wrap=True)
    for message, count in result.measured.errors_by_message.items():
        console.print(f"{count} x {message}", markup=False, soft_wrap=True)
    console.print(
        f"[bold {COLOURS[outcome]}]{outcome.value}[/]  report: {result.settings.out / 'report.html'}", soft_wrap=True
    )


def _table(result: RunResult) -> Table:
    measured = result.measured
    title = f"{result.settings.endpoint.task}: {measured.measured} requests measured, {measured.errors} failed"
    table = Table("objective", title=title)
    for heading in ("measured", "limit", "result"):
        table.add_column(heading, justify="right")
    for objective in result.verdict.results:
        figure = "not measured" if objective.measured is None else f"{objective.measured:.4g}"
        sign = "≤" if objective.bound == "max" else "≥"
        met = "[green]met[/]" if objective.met else "[red]missed[/]"
        table.add_row(objective.name, figure, f"{sign} {objective.limit:g}", met)
    return table
