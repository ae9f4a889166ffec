"""The report: one page of HTML that needs nothing beside it."""

import base64
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import jinja2
import numpy as np
from PIL import Image

from monitoring import plots
from monitoring.judgement import KINDS, PERFORMANCE, Finding, alarms, excess
from monitoring.pictures import Figures, Measured, read_picture
from monitoring.ranking import Strange
from monitoring.result import Result
from tasks import Kind, TaskSpec
from tasks.statistics import INPUT_STATISTICS, prediction_names

PAGE_FILE = "report.html"
THUMBNAIL_PX = 144
METHODS = {
    "ks": "Kolmogorov–Smirnov",
    "psi": "PSI",
    "wasserstein": "Wasserstein",
    "mmd": "MMD²",
    "kl": "Kullback–Leibler",
    "jensen_shannon": "Jensen–Shannon",
    "chi_square": "χ²",
    "mean_worse": "mean, worse by",
}


@dataclass(frozen=True)
class Strangeness:
    """A strange picture as the report shows it; `thumbnail` is a data URI or ""."""

    name: str
    reason: str
    thumbnail: str


def page(result: Result, reference: Figures, window: Measured, thumbnails: int) -> str:
    """Return the report's text.

    Args:
        result: what it tells.
        reference, window: the figures that are drawn.
        thumbnails: how many of the strangest pictures are shown, read again from their files.
    """
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("page.html.j2").render(
        result=result,
        sentences=sentences(result),
        rows=sorted(result.findings, key=lambda each: (not each.alarm, each.p_value, -excess(each))),
        kinds={kind: len(result.alarms_of(kind)) for kind in KINDS if _asked(result, kind)},
        methods=METHODS,
        excess=excess,
        strange=[_strange(each, result, window, shown < thumbnails) for shown, each in enumerate(result.strangest)],
        pictures=_pictures(result, reference, window.figures),
    )


def sentences(result: Result) -> list[str]:
    """Return what alarms in words, one sentence a statistic, the clearest first."""
    by_statistic: dict[tuple[str, str], list[Finding]] = {}
    for finding in alarms(result.findings):
        by_statistic.setdefault((finding.kind, finding.statistic), []).append(finding)
    return [_sentence(statistic, found, result) for (_, statistic), found in by_statistic.items()]


def _sentence(statistic: str, found: Sequence[Finding], result: Result) -> str:
    by = ", ".join(METHODS[each.method] for each in found)
    name = statistic.replace("_", " ").capitalize()
    if found[0].kind == PERFORMANCE:
        return f"{name} is worse by {found[0].score:.3g} on average; over {found[0].threshold:.3g} is no chance."
    if statistic not in result.means:
        what = "The classes that are predicted" if statistic == "label" else "What the network sees inside"
        return f"{what} changed (by {by})."
    former, now = result.means[statistic]
    # A shape may change and the mean stay.
    moved = f"from {former:.3g} to {now:.3g} on average" if f"{former:.3g}" != f"{now:.3g}" else "in its spread"
    return f"{name} moved {moved} (by {by})."


def _asked(result: Result, kind: str) -> bool:
    return any(finding.kind == kind for finding in result.findings)


def _pictures(result: Result, reference: Figures, window: Figures) -> list[tuple[str, str, str]]:
    """Return heading, how to read it, and the SVG of each plot."""
    moved = {finding.statistic for finding in result.findings if finding.alarm}
    found = [
        (
            "How far from an alarm",
            "Each test's score over its threshold, a row for each statistic. Beyond the line a test alarms.",
            plots.scores(result.findings, METHODS),
        ),
        (
            "Reference and window",
            "Share of pictures (upwards) with at most that value (to the right). Where the lines lie apart, the "
            "window differs. What never varies is left out.",
            plots.distributions(_columns(result.task, reference, window, moved)),
        ),
        (
            "What the network sees",
            "Each dot is a picture's embedding, in the two directions in which all of them vary most.",
            plots.embeddings(reference, window, "embedding" in moved),
        ),
    ]
    if result.task.kind is Kind.CLASSIFICATION:
        classes = [info.name for info in result.task.classes]
        bars = plots.classes(classes, reference.label, window.label, "label" in moved)
        found.insert(1, ("Predicted classes", "Share of the pictures that the network gives each class.", bars))
    return found


def _columns(
    task: TaskSpec, reference: Figures, window: Figures, moved: set[str]
) -> list[tuple[str, plots.Values, plots.Values, bool]]:
    names = (*INPUT_STATISTICS, *prediction_names(task))
    former, now = (np.concatenate([each.input, each.prediction], axis=1).T for each in (reference, window))
    both = zip(names, former, now, strict=True)
    return [(name, a, b, name in moved) for name, a, b in both if np.ptp(np.append(a, b)) > 0]


def _strange(each: Strange, result: Result, window: Measured, show: bool) -> Strangeness:
    name = each.statistic.replace("_", " ")
    if each.statistic == "embedding":
        reason = f"unlike every picture of the reference ({each.deviation:.1f} spreads)"
    else:
        reason = f"{name} {abs(each.deviation):.1f} spreads {'over' if each.deviation > 0 else 'under'} the median"
    thumbnail = _thumbnail(window.files[each.index], result.task) if show else ""
    return Strangeness(result.names[each.index], reason, thumbnail)


def _thumbnail(file: Path, task: TaskSpec) -> str:
    """Return a small JPEG as a data URI: pixels alone, nothing of what a camera writes beside them."""
    picture = Image.fromarray(read_picture(file, task).pixels)
    picture.thumbnail((THUMBNAIL_PX, THUMBNAIL_PX))
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=80)
    return f"data:image/jpeg;base64,{base64.b64encode(buffer.getvalue()).decode()}"
