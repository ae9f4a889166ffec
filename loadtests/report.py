"""The run as one HTML file that needs nothing beside it, for people. Its looks are `page`'s part."""

from functools import partial
from typing import Any

from loadtests import plots
from loadtests.measurements import QUANTILE_METHOD
from loadtests.outcome import Outcome
from loadtests.page import Cell, Page, Picture, Table, Tile, page_html
from loadtests.result import RunResult
from loadtests.verdict import ObjectiveResult
from loadtests.where_time_went import phases_table, where_time_went

HEADLINES = {
    Outcome.PASSED: "Every objective was met",
    Outcome.MISSED: "An objective was missed",
    Outcome.INVALID: "The run is invalid",
}
TILES = ("p50", "p90", "p95", "p99", "p99.9", "max")
PICTURES: tuple[tuple[str, str, Any], ...] = (
    (
        "Latency over time",
        "A slope means a growing queue; a comb of triangles means a server that stalls.",
        plots.latency_over_time,
    ),
    ("Throughput", "Answers that trail what was due show a server that falls behind.", plots.throughput),
    ("Share of requests answered in time", "The curve must pass left of each limit.", plots.cumulative),
    (
        "The tail by percentile",
        "Each further nine is as wide as the one before; the curve must pass below each limit.",
        plots.tail,
    ),
)
# Room for the names of models.
LABELS_INCH = 1.9
TIME_PICTURE = ("Where the time went", "A queue grows first when instances are too few.")


def report_html(result: RunResult) -> str:
    """The report's text: verdict, objectives, figures, pictures, errors and settings."""
    return page_html(report_page(result))


def report_page(result: RunResult) -> Page:
    """What the report says."""
    outcome, load = result.verdict.outcome, result.settings.load
    return Page(
        mark=outcome.value,
        headline=HEADLINES[outcome],
        lead=f"Load test of {result.settings.endpoint.task} at {result.settings.endpoint.url}, {load_text(result)} "
        f"for {load.duration_s:g} s, started {result.started_at}",
        reasons=result.verdict.invalid_reasons or missed_sentences(result),
        tiles=_tiles(result),
        tables=(objectives_table(result),),
        pictures=_pictures(result),
        details=tuple(table for table in (phases_table(result), _errors(result)) if table),
        facts=_facts(result),
        notes=(
            "Latency counts from the time a request was due, failed requests included."
            if not load.users
            else "Latency counts from the time a user sent a request, failed requests included.",
            f"Quantiles: {QUANTILE_METHOD}.",
        ),
    )


def load_text(result: RunResult) -> str:
    """The load in a few words."""
    load = result.settings.load
    if load.users:
        return f"a closed loop of {load.users} users"
    if load.trace is not None:
        return f"the trace {load.trace.name}"
    shape = "" if load.shape.name == "steady" else f", {load.shape.text}"
    return f"{load.rate_rps:g} requests/s{shape}"


def missed_sentences(result: RunResult) -> tuple[str, ...]:
    """For each missed objective what was measured and what had to be."""
    missed = [each for each in result.verdict.results if not each.met]
    return tuple(f"{each.name}: {figure_text(each.measured)}, must be {limit_text(each)}." for each in missed)


def figure_text(measured: float | None) -> str:
    """A figure with four digits, or that there is none."""
    return "not measured" if measured is None else f"{measured:.4g}"


def limit_text(objective: ObjectiveResult) -> str:
    """The limit with its direction."""
    return f"{'≤' if objective.bound == 'max' else '≥'} {objective.limit:g}"


def objectives_table(result: RunResult) -> Table:
    """Each objective with what was measured, and the remarks on the figures."""
    rows = [
        (
            Cell(each.name),
            Cell(figure_text(each.measured), number=True),
            Cell(limit_text(each), number=True),
            Cell("met" if each.met else "missed", mark="passed" if each.met else "missed"),
        )
        for each in result.verdict.results
    ]
    invalid = result.verdict.outcome is Outcome.INVALID
    notes = ("The run is invalid: read the results as hints, not as a verdict.",) if invalid else ()
    return Table("Objectives", ("objective", "measured", "limit", "result"), rows, (*notes, *result.remarks()))


def _tiles(result: RunResult) -> tuple[Tile, ...]:
    measured = result.measured
    if not measured.measured:
        return ()
    latencies = [Tile(ms_text(measured.latency_ms[name]), "slowest" if name == "max" else name) for name in TILES]
    rate = Tile(f"{measured.achieved_rps:.4g}/s", "right answers")
    return (*latencies, rate, Tile(f"{measured.errors:,}", f"failed of {measured.measured:,}"))


def ms_text(time_ms: float) -> str:
    """Three digits, in milliseconds below a second: for a service of microseconds as for one of minutes."""
    return f"{time_ms / 1000:.3g} s" if time_ms >= 999.5 else f"{time_ms:.3g} ms"


def _pictures(result: RunResult) -> tuple[Picture, ...]:
    if not result.measured.measured:
        return ()
    found = [
        Picture(title, reading, plots.svg(plot.__name__, partial(plot, result=result)))
        for title, reading, plot in PICTURES
    ]
    if result.driven.server is not None:
        time = plots.svg("where_time_went", lambda axes: where_time_went(axes, result), plots.WIDE_INCH, LABELS_INCH)
        found.append(Picture(*TIME_PICTURE, time, wide=True))
    return tuple(found)


def _errors(result: RunResult) -> Table | None:
    found = result.measured.errors_by_message
    rows = [(Cell(message), Cell(f"{count:,}", number=True)) for message, count in found.items()]
    return Table("Failed requests", ("what was wrong", "requests"), rows) if rows else None


def _facts(result: RunResult) -> dict[str, str]:
    measured, settings, load = result.measured, result.settings, result.settings.load
    facts = {
        "server": settings.endpoint.url,
        "model": settings.endpoint.task,
        "load": load_text(result),
        "arrivals": "closed loop" if load.users else f"{load.arrivals}, seed {load.seed}",
        "measured time": f"{load.duration_s:g} s, after {load.warm_up_s:g} s of warm-up",
        "requests due / sent / warm-up": f"{measured.planned:,} / {measured.measured:,} / {measured.warm_up:,}",
        "connections, timeout": f"{settings.endpoint.connections}, {settings.endpoint.timeout_s:g} s",
        "different images": f"{result.images_count}",
        "generator processes": f"{settings.workers.local}",
    }
    if measured.lag_ms:
        facts["generator lag"] = f"p50 {measured.lag_ms['p50']:.1f} ms, p99 {measured.lag_ms['p99']:.1f} ms"
    if measured.generator_cpu_ratio is not None:
        facts["generator CPU"] = f"{measured.generator_cpu_ratio:.0%} of a core, the busiest process"
    return facts
