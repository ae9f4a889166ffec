"""Where a request's time went: the server's own phases beside what the client saw, as a picture and as a table.

Triton says means, so the client's mean is set beside them, of right answers: what the server never answered is not in
its statistics. What remains is the network, the client and the wait for its turn.
"""

from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes

from loadtests.page import Cell, Table
from loadtests.plots import FAINT, INK, legend_above
from loadtests.result import RunResult
from loadtests.server_phases import Phases, ServerPhases

PHASES = {"queue": "#d69e2e", "compute input": "#90cdf4", "infer": "#2b6cb0", "output": "#4fd1c5"}
REST = "network and client"
US_PER_MS = 1000


@dataclass(frozen=True)
class Step:
    """One model's mean milliseconds for each request, by the names of PHASES."""

    name: str
    requests: int
    phases_ms: tuple[float, float, float, float]

    @property
    def total_ms(self) -> float:
        """All phases together."""
        return sum(self.phases_ms)


def steps(server: ServerPhases, task: str) -> list[Step]:
    """The models of an ensemble in the order of the server's answer, or the one model."""
    models = server.models or {task: server.task}
    return [Step(name, phases.requests, _phases_ms(phases)) for name, phases in models.items()]


def rest_ms(result: RunResult) -> float | None:
    """What the client saw beyond the server's mean, in milliseconds; None when either is not known.

    None as well when the server's mean is the larger one: it then tells of requests that the client had given up.
    """
    server, mean_ms = result.driven.server, result.measured.right_mean_ms
    if server is None or mean_ms is None:
        return None
    left_ms = mean_ms - server.task.total_us / US_PER_MS
    return None if left_ms < 0 else left_ms


def where_time_went(axes: Axes, result: RunResult) -> None:
    """A bar for each model, its phases one after the other, and what is left to the network and the client."""
    server = result.driven.server
    if server is None:
        return
    found = steps(server, result.settings.endpoint.task)
    places = np.arange(len(found), dtype=float)
    left = np.zeros(len(found))
    for column, (phase, colour) in enumerate(PHASES.items()):
        widths = np.array([step.phases_ms[column] for step in found])
        axes.barh(places, widths, left=left, color=colour, label=phase, height=0.62)
        left += widths
    rest = rest_ms(result)
    axes.barh(len(found), rest or 0.0, color=FAINT, label=REST, height=0.62)
    for place, width in zip([*places, len(found)], [*left, rest], strict=True):
        text = "not known" if width is None else f"{width:.2f} ms"
        axes.annotate(text, (width or 0.0, place), (4, 0), textcoords="offset points", va="center", color=INK)
    axes.set_yticks([*places, len(found)], [*(step.name for step in found), REST])
    axes.set(xlabel="ms a request, mean", xlim=(0, 1.12 * max(*left, rest or 0.0, 1e-3)))
    axes.invert_yaxis()
    axes.grid(visible=False, axis="y")
    legend_above(axes)


def phases_table(result: RunResult) -> Table | None:
    """The same in figures; None where the server did not say."""
    server = result.driven.server
    if server is None:
        return None
    rows = [
        (Cell(step.name), _count(step.requests), *map(_ms, step.phases_ms), _ms(step.total_ms))
        for step in steps(server, result.settings.endpoint.task)
    ]
    mean_ms, rest = result.measured.right_mean_ms, rest_ms(result)
    empty = (Cell("", number=True),) * len(PHASES)
    task = (
        Cell("the server, queue to output"),
        _count(server.task.requests),
        *empty,
        _ms(server.task.total_us / US_PER_MS),
    )
    client = (Cell("seen by the client"), _count(len(result.recording)), *empty, _ms(mean_ms))
    left = (Cell(REST), Cell("", number=True), *empty, _ms(rest))
    return Table(
        "The server's phases",
        ("model", "requests", *(f"{phase}, ms" for phase in PHASES), "together, ms"),
        [*rows, task, client, left],
        ("Means from Triton's statistics over the whole load, the warm-up and requests of other clients included.",),
    )


def phases_sentence(result: RunResult) -> str:
    """The same in one line, for a terminal; "" where the server did not say."""
    server, mean_ms, rest = result.driven.server, result.measured.right_mean_ms, rest_ms(result)
    if server is None or mean_ms is None or rest is None:
        return ""
    totals = [sum(column) for column in zip(*(step.phases_ms for step in steps(server, "")), strict=True)]
    phases = ", ".join(f"{name} {total:.2f}" for name, total in zip(PHASES, totals, strict=True))
    return f"Of {mean_ms:.2f} ms a request on average: {phases}, {REST} {rest:.2f} ms."


def _phases_ms(phases: Phases) -> tuple[float, float, float, float]:
    found = (phases.queue_us, phases.compute_input_us, phases.infer_us, phases.output_us)
    queue, compute_input, infer, output = (each / US_PER_MS for each in found)
    return queue, compute_input, infer, output


def _count(number: int) -> Cell:
    return Cell(f"{number:,}", number=True)


def _ms(figure: float | None) -> Cell:
    return Cell("" if figure is None else f"{figure:.2f}", number=True)
