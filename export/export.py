"""An export, read top to bottom: load, write, measure, refuse or place."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from export.config import ExportConfig
from export.errors import ExportError
from export.formats import FORMATS
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

    `<work>/<task>/parity.json` is written either way.

    Raises:
        ExportError: the first thing that kept the release from being placed.
        training.errors.TrainingError: the model or the pictures cannot be used.
    """
    model = Path(config.model or f"build/training/{config.task or 'vessels'}")
    task = _task(model, config.task)
    module, card = load_serving_module(model)
    pictures = read_pictures(model, Path(config.pictures) if config.pictures else None, task)
    work = _work_folder(Path(config.work) / task.name)
    artefacts, reports = {}, []
    for name in config.formats:
        path = work / FORMATS[name].file_name
        say(f"writing {task.name} as {name} …")
        FORMATS[name].write(module, task, _metadata(task, card), path)
        say(f"comparing {name} with the trained network on {len(pictures)} pictures …")
        batch = served_batch(task.name)
        reports.append(measure_parity(name, FORMATS[name], path, module, pictures, task, batch=batch))
        artefacts[path.name] = path
    (work / "parity.json").write_text(json.dumps([report.to_dict() for report in reports], indent=2) + "\n")
    for report in reports:
        require_parity(report)
    say("placing the release …")
    made = _provenance(card, config.formats, reports)
    return Placed(task.name, place(task.name, artefacts, made, Path(config.to)))


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


def _provenance(card: ModelCard, formats: list[str], reports: list[ParityReport]) -> dict[str, Any]:
    packages = sorted({package for name in formats for package in FORMATS[name].packages})
    return {
        "run_id": card.run_id,
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
