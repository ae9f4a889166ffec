"""An export, read top to bottom: load, write, measure, refuse or place."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cache, partial
from pathlib import Path
from typing import Any

from export.artefact import Format, Material
from export.calibration import read_calibration
from export.comparison import Expected, expect
from export.config import ExportConfig
from export.divergence import LayerError, describe, layer_errors, worst_layers
from export.errors import ExportError
from export.formats import FORMATS, with_needed
from export.page import write_page
from export.parity import ParityReport, measure_parity, require_parity
from export.pictures import read_pictures
from export.place import place, served_batch
from tasks import TaskSpec, get_task
from training.revision import code_revision, tool_versions
from training.weights import ModelCard, load_card, load_serving_module


@dataclass(frozen=True)
class Placed:
    """The release's own folder, and the task that was placed into it."""

    task: str
    release: Path


def export(config: ExportConfig, say: Callable[[str], None]) -> Placed:
    """Write every format, hold each to its parity budget, and place the task into the release if all pass.

    `<work>/<task>/parity.json` and `parity.html` are written as soon as every format is there, passed or not.

    Raises:
        ExportError: the first thing that kept the release from being placed.
        training.errors.TrainingError: the model or the pictures cannot be used.
    """
    model = config.model_folder()
    task = _task(model, config.task)
    module, card = load_serving_module(model)
    root = Path(config.pictures) if config.pictures else None
    expected = expect(module, read_pictures(model, root, task, seen=set(card.trained_on), enough=config.images), task)
    work = _work_folder(Path(config.work) / task.name)
    calibration = cache(partial(read_calibration, config.calibration, card, task))
    material = Material(module, task, _metadata(task, card), calibration)
    reports = []
    formats = with_needed(config.formats)
    for name in formats:
        report = write_and_measure(name, material, work, expected, say)
        reports += [] if report is None else [report]
    _keep_reports(reports, expected, task, work)
    for report in reports:
        require_parity(report)
    say("placing the release …")
    made = _provenance(card, formats, reports)
    return Placed(task.name, place(task.name, _artefacts(formats, work), made, Path(config.to)))


def write_and_measure(
    name: str, material: Material, work: Path, expected: Sequence[Expected], say: Callable[[str], None]
) -> ParityReport | None:
    """Write one format and compare it; while it is over its budget, with more layers in FP32 if it has such islands."""
    export_format, path = FORMATS[name], work / FORMATS[name].file_name
    batch = served_batch(material.task.name)
    while True:
        kept = len(material.kept_float)
        say(f"writing {material.task.name} as {name} …" + (f" with {kept} more layers in FP32" if kept else ""))
        _write(name, material, path)
        say(f"comparing {name} with the trained network on {len(expected)} pictures …")
        report = measure_parity(name, export_format, path, expected, material.task, batch=batch)
        if report is None:
            say(f"{name} cannot be run on this machine and was not compared: what it is made from was")
            return None
        report = replace(report, float_layers=tuple(export_format.kept(path)) if export_format.kept else ())
        if report.passed:
            return report
        more = _more_islands(export_format, path, material, report, expected)
        if more == material.kept_float:
            return replace(report, diverges=_diverges(export_format, path, material, expected))
        material = replace(material, kept_float=more)


def _more_islands(
    export_format: Format, path: Path, material: Material, report: ParityReport, expected: Sequence[Expected]
) -> frozenset[str]:
    """Return twice as many layers to keep in FP32, the next ones by what they cost, or as many as before.

    At least one layer is left: with all of them in FP32 nothing would remain of the format.
    """
    if not export_format.islands:
        return material.kept_float
    if export_format.order is not None:
        order = export_format.order(path, material.learnt_pictures)
    else:
        order = worst_layers(_layer_errors(export_format, path, material, expected))
    left = [layer for layer in order if layer not in report.float_layers]
    return material.kept_float | set(left[: max(1, len(material.kept_float))][: len(left) - 1])


def _write(name: str, material: Material, path: Path) -> None:
    try:
        FORMATS[name].write(material, path)
    except ExportError:
        raise
    except OSError as error:
        path.unlink(missing_ok=True)
        raise ExportError(
            f"{path} cannot be written ({error}); make room, or name another folder with work="
        ) from error
    # What exporters raise about an operator that they do not know has many types and many lines.
    except Exception as error:
        path.unlink(missing_ok=True)
        said = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise ExportError(f"the network cannot be written as {name}: {said}; leave it out of formats=") from error


def _layer_errors(
    export_format: Format, path: Path, material: Material, expected: Sequence[Expected]
) -> list[LayerError]:
    if export_format.layers is None:
        return []
    picture = expected[0].picture.fitted.pixels
    return layer_errors(material.module, export_format.layers(path, picture), picture)


def _diverges(export_format: Format, path: Path, material: Material, expected: Sequence[Expected]) -> str:
    if export_format.layers is None:
        return ""
    return describe(_layer_errors(export_format, path, material, expected), export_format.budget.layer_error)


def _artefacts(formats: Sequence[str], work: Path) -> dict[str, Path]:
    names = [name for each in formats for name in (FORMATS[each].file_name, *FORMATS[each].companions)]
    plans = [path.name for path in work.glob("model.sm*.plan")] if "tensorrt" in formats else []
    return {name: work / name for name in (*names, *plans)}


def _keep_reports(reports: Sequence[ParityReport], expected: Sequence[Expected], task: TaskSpec, work: Path) -> None:
    artefacts = {report.format: work / FORMATS[report.format].file_name for report in reports}
    try:
        (work / "parity.json").write_text(json.dumps([report.to_dict() for report in reports], indent=2) + "\n")
        write_page(reports, artefacts, expected, task, work / "parity.html")
    except OSError as error:
        raise ExportError(
            f"the reports cannot be written to {work} ({error}); name another folder with work="
        ) from error


def _task(model: Path, asked: str | None) -> TaskSpec:
    card = load_card(model)
    if asked not in (None, card.task):
        raise ExportError(f"{model} was trained for {card.task} and task={asked} was asked; name that task's model=")
    return get_task(card.task)


def _metadata(task: TaskSpec, card: ModelCard) -> dict[str, str]:
    """Return what an artefact says of itself wherever it is copied to."""
    return {
        "task": task.name,
        "classes": json.dumps([info.name for info in task.classes]),
        "weights_sha256": card.weights_sha256,
        "data_digest": card.data_digest,
        "code_revision": card.code_revision,
    }


def _provenance(card: ModelCard, formats: Sequence[str], reports: Sequence[ParityReport]) -> dict[str, Any]:
    packages = sorted({package for name in formats for package in FORMATS[name].packages})
    return {
        "run_id": card.run_id,
        "weights_sha256": card.weights_sha256,
        "data_digest": card.data_digest,
        "metrics": card.metrics,
        "trained_by": {"code_revision": card.code_revision, "versions": card.versions},
        "exported_by": {"code_revision": code_revision(), "versions": tool_versions(*packages)},
        "formats": list(formats),
        "parity": [report.summary() for report in reports],
    }


def _work_folder(folder: Path) -> Path:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name in ("parity.json", "parity.html"):
            (folder / name).unlink(missing_ok=True)
    except OSError as error:
        raise ExportError(f"the folder {folder} cannot be written ({error}); name another one with work=") from error
    return folder
