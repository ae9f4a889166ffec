"""What the person at the terminal sees of a search and of a pool."""

from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table

from loadtests.capacity.measure import Search
from loadtests.capacity.verdict import CapacityVerdict
from loadtests.outcome import Outcome
from loadtests.terminal import COLOURS

WORDS = {Outcome.PASSED: "met", Outcome.MISSED: "missed", Outcome.INVALID: "invalid"}


def print_trial(console: Console, search: Search) -> None:
    """One line for the trial that just ended."""
    trial = search.trials[-1]
    figure = f"p99 {trial.latency_ms['p99']:.0f} ms" if trial.latency_ms else "nothing measured"
    why = f": {'; '.join(trial.reasons)}" if trial.reasons else ""
    console.print(
        f"{search.served.name}, trial {len(search.trials)}: {trial.rate_rps:.4g} requests/s "
        f"{WORDS[trial.outcome]} ({figure}){why}",
        markup=False,
        highlight=False,
        soft_wrap=True,
    )


def print_searches(console: Console, searches: Sequence[Search], verdict: CapacityVerdict, file: Path) -> None:
    """The table of capacities, what there is to say about them, and where the file is."""
    console.print(_table(searches))
    for sentence in verdict.reasons:
        console.print(sentence, markup=False, soft_wrap=True)
    outcome = verdict.outcome
    console.print(f"[bold {COLOURS[outcome]}]{outcome.value}[/]  capacities: {file}", soft_wrap=True)


def _table(searches: Sequence[Search]) -> Table:
    table = Table(title="requests per second that meet the objectives")
    table.add_column("server", overflow="fold")
    for heading in ("capacity", "between", "trials", "target", "p99 there", "queue there"):
        table.add_column(heading, justify="right")
    for search in searches:
        table.add_row(search.served.name, *_capacity_cells(search), str(len(search.trials)), *_target_cells(search))
    return table


def _capacity_cells(search: Search) -> tuple[str, str]:
    capacity = search.found.capacity if search.found else None
    if capacity is None:
        least = search.found.highest_met_rps if search.found else 0.0
        return "not found", f"{least:.3g} or more" if least else ""
    return f"{capacity.estimate:.3g}", f"{capacity.low:.3g} and {capacity.high:.3g}"


def _target_cells(search: Search) -> tuple[str, str, str]:
    target = search.target
    if target is None:
        return "", "", ""
    queue = "" if target.queue_ms is None else f"{sum(target.queue_ms.values()):.1f} ms"
    return f"{target.rate_rps:.3g}", f"{target.latency_ms.get('p99', 0.0):.0f} ms", queue
