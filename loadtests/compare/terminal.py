"""What the person at the terminal sees of a comparison."""

from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table

from loadtests.compare.judgement import Comparison, Gate, Pair, Slice
from loadtests.terminal import COLOURS


def print_pair(console: Console, pairs: Sequence[Pair], gate: Gate) -> None:
    """One line for the pair that was just measured."""
    pair = pairs[-1]
    sides = ", ".join(f"{side.upper()} {_figure(getattr(pair, side), gate)}" for side in _in_order(pair))
    console.print(f"pair {len(pairs)}: {gate.quantile} of {sides}", markup=False, highlight=False, soft_wrap=True)


def print_comparison(console: Console, comparison: Comparison, count: int, file: Path) -> None:
    """The ratios, the answer with its reason, and where the file is."""
    table = Table("quantile", title=f"B over A in {count} pairs")
    for heading in ("ratio", "surely between"):
        table.add_column(heading, justify="right")
    for name, ratio in comparison.ratios.items():
        table.add_row(name, f"{ratio.estimate:.3f}", f"{ratio.low:.3f} and {ratio.high:.3f}")
    console.print(table)
    console.print(comparison.reason, markup=False, soft_wrap=True)
    outcome = comparison.answer.outcome
    console.print(f"[bold {COLOURS[outcome]}]{comparison.answer.value}[/]  comparison: {file}", soft_wrap=True)


def _in_order(pair: Pair) -> tuple[str, str]:
    return ("a", "b") if pair.first == "a" else ("b", "a")


def _figure(half: Slice, gate: Gate) -> str:
    if half.invalid_reason:
        return f"not to be trusted ({half.invalid_reason})"
    failed = f", {half.errors} failed" if half.errors else ""
    return f"{half.latency_ms[gate.quantile]:.1f} ms{failed}"
