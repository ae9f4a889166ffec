"""The run as one HTML file that needs nothing beside it, for people. Its looks are in report.html.j2."""

from pathlib import Path
from typing import NamedTuple

import jinja2

from loadtests import plots
from loadtests.measurements import QUANTILE_METHOD
from loadtests.result import RunResult

TEMPLATE = "report.html.j2"


class Picture(NamedTuple):
    """A plot with its heading and the sentence that says how to read it.

    The template does not escape `svg`: nothing in it comes from the server or the command line.
    """

    title: str
    reading: str
    svg: str


PICTURES: tuple[tuple[str, str, plots.Plot], ...] = (
    ("Latency over time", "A slope means a growing queue; a comb means a server that stalls.", plots.latency_over_time),
    ("Share of requests answered in time", "The curve must pass left of each limit.", plots.cumulative),
    ("Histogram of latencies", "Counts are logarithmic, so that a few slow requests can be seen.", plots.histogram),
    ("Throughput", "Answers that trail what was due show a server that falls behind.", plots.throughput),
)


def report_html(result: RunResult) -> str:
    """The report's text: verdict, objectives, figures, pictures, errors and settings."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template(TEMPLATE).render(
        result=result, pictures=_pictures(result), quantile_method=QUANTILE_METHOD
    )


def _pictures(result: RunResult) -> list[Picture]:
    if not result.measured.measured:
        return []
    return [Picture(title, reading, plots.svg(plot.__name__, plot, result)) for title, reading, plot in PICTURES]
