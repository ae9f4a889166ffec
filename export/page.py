"""`parity.html`: the gate's figures for people, with every picture as a point and the worst one drawn."""

import base64
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import jinja2
import matplotlib as mpl
import numpy as np
import numpy.typing as npt

from export.artefact import Runner
from export.comparison import Expected, classes_of
from export.formats import FORMATS
from export.parity import ParityReport
from tasks import Kind, TaskSpec
from tasks.imaging import overlay, unfit
from tasks.quality import FIGURES

mpl.use("Agg")
from matplotlib import pyplot as plt
from matplotlib.figure import Figure

_WORST_PX = 320


@dataclass(frozen=True)
class _Section:
    """A format's part of the page; pictures as base64 PNG, `worst` empty where none is drawn."""

    report: ParityReport
    scatter: str
    worst: str


def write_page(
    reports: Sequence[ParityReport],
    artefacts: Mapping[str, Path],
    expected: Sequence[Expected],
    task: TaskSpec,
    path: Path,
) -> None:
    """Write one self-contained page about the artefacts of a task.

    Args:
        reports: of the formats that were compared.
        artefacts: format → its file.
        expected: the pictures, and what the trained network answers to them.
        task: of the network.
        path: where to.
    """
    sections = [_section(report, artefacts[report.format], expected, task) for report in reports]
    environment = jinja2.Environment(loader=jinja2.FileSystemLoader(Path(__file__).parent), autoescape=True)
    text = environment.get_template("parity.html.j2").render(
        task=task.name, pictures=len(expected), figure=FIGURES[task.kind], reports=reports, sections=sections
    )
    path.write_text(text)


def _section(report: ParityReport, artefact: Path, expected: Sequence[Expected], task: TaskSpec) -> _Section:
    worst = max(range(len(expected)), key=lambda index: report.pictures[index].disagreement)
    run = FORMATS[report.format].load(artefact) if task.kind is not Kind.CLASSIFICATION else None
    return _Section(report, _png(_scatter(report)), "" if run is None else _png(_worst(run, expected[worst], task)))


def _scatter(report: ParityReport) -> Figure:
    figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.4), layout="constrained")
    ours, theirs = [each.expected for each in report.pictures], [each.found for each in report.pictures]
    low, high = min(*ours, *theirs), max(*ours, *theirs)
    left.plot([low, high], [low, high], ":", color="grey", linewidth=1)
    left.plot(ours, theirs, "o", markersize=4)
    left.set(xlabel=f"{report.figure}, trained network", ylabel=f"{report.figure}, {report.format}")
    right.plot([each.disagreement for each in report.pictures], "o", markersize=4)
    right.axhline(report.budget.disagreement, color="C3", linewidth=1)
    right.set(xlabel="picture", ylabel="share that gets another class", ylim=(0, 1))
    right.set_yscale("symlog", linthresh=1e-5)
    right.set_title("line: the budget", fontsize=9)
    return figure


def _worst(run: Runner, expected: Expected, task: TaskSpec) -> Figure:
    picture = expected.picture
    found = classes_of(run(picture.fitted.pixels[None]), 0, picture, task)
    differs = (found != expected.classes).astype(np.uint8)
    height_px, width_px = differs.shape
    scale = _WORST_PX / max(height_px, width_px)
    planes = [
        np.stack([unfit(picture.fitted.pixels[:, :, each], picture.fitted.geometry) for each in range(3)], axis=2)
    ]
    planes += [overlay(planes[0], mask.astype(np.uint8), task.classes) for mask in (expected.classes, found)]
    # Grown, because a single pixel would not be seen.
    planes.append(np.repeat(cv2.dilate(differs, np.ones((3, 3), np.uint8))[:, :, None] * np.uint8(255), 3, axis=2))
    titles = (picture.name, "trained network", "artefact", f"{int(differs.sum())} pixels differ")
    figure, places = plt.subplots(1, 4, figsize=(12, 3.4 * max(0.5, height_px / width_px)), layout="constrained")
    for place, plane, title in zip(places, planes, titles, strict=True):
        place.imshow(_resized(plane, scale))
        place.set_title(title, fontsize=9)
        place.axis("off")
    return figure


def _resized(plane: npt.NDArray[np.uint8], scale: float) -> npt.NDArray[np.uint8]:
    return np.asarray(cv2.resize(plane, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA), np.uint8)


def _png(figure: Figure) -> str:
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=90)
    plt.close(figure)
    return base64.b64encode(buffer.getvalue()).decode()
