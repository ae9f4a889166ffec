"""An export, read top to bottom: load, write, measure, refuse or place."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from export.config import ExportConfig
from export.errors import ExportError
from export.formats import FORMATS
from export.parity import ParityReport, Picture, fit_picture, measure_parity, require_parity
from export.place import place
from tasks import TaskSpec, get_task
from tasks.errors import ImageError
from tasks.held_out import read_held_out
from training.revision import code_revision, tool_versions
from training.serving_module import ServingModule
from training.weights import ModelCard, load_network


def export(config: ExportConfig, say: Callable[[str], None]) -> Path:
    """Write every format, hold each to its parity budget, and place the release if all pass.

    `<work>/<task>/parity.json` is written either way.

    Raises:
        ExportError: the first thing that kept the release from being placed.
        training.errors.TrainingError: the model folder cannot be used.
    """
    model = Path(config.model)
    network, card = load_network(model)
    task = get_task(card.task)
    module = ServingModule(network)
    pictures = _pictures(model, task)
    work = _work_folder(Path(config.work) / task.name)
    artefacts, reports = {}, []
    for name in config.formats:
        path = work / FORMATS[name].file_name
        say(f"writing {name} …")
        FORMATS[name].write(module, task, _metadata(task, card), path)
        say(f"comparing {name} with the trained network on {len(pictures)} pictures …")
        reports.append(measure_parity(name, FORMATS[name], path, module, pictures, task))
        artefacts[path.name] = path
    (work / "parity.json").write_text(json.dumps([report.to_dict() for report in reports], indent=2) + "\n")
    for report in reports:
        require_parity(report)
    say("placing the release …")
    return place(task.name, artefacts, _provenance(card, config.formats, reports), Path(config.to))


def _pictures(model: Path, task: TaskSpec) -> list[Picture]:
    try:
        return [fit_picture(held_out, task) for held_out in read_held_out(model)]
    except ImageError as error:
        raise ExportError(str(error)) from error


def _metadata(task: TaskSpec, card: ModelCard) -> dict[str, str]:
    """Return what an artefact says of itself wherever it is copied to."""
    return {
        "task": task.name,
        "classes": json.dumps([info.name for info in task.classes]),
        "weights_sha256": card.weights_sha256,
        "data_digest": card.data_digest,
        "code_revision": card.code_revision,
    }


def _provenance(card: ModelCard, formats: list[str], reports: list[ParityReport]) -> dict[str, Any]:
    packages = sorted({package for name in formats for package in FORMATS[name].packages})
    return {
        "task": card.task,
        "mlflow_run": card.mlflow_run,
        "weights_sha256": card.weights_sha256,
        "data_digest": card.data_digest,
        "metrics": card.metrics,
        "trained_by": {"code_revision": card.code_revision, "versions": card.versions},
        "exported_by": {"code_revision": code_revision(), "versions": tool_versions(*packages)},
        "parity": [report.to_dict() for report in reports],
    }


def _work_folder(folder: Path) -> Path:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "parity.json").unlink(missing_ok=True)
    except OSError as error:
        raise ExportError(f"the folder {folder} cannot be written ({error}); name another one with work=") from error
    return folder
