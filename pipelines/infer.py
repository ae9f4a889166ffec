"""Held-out pictures through the running server, compared with what training's evaluation got offline."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from fovea_client import Client
from PIL import Image
from rich.console import Console

from pipelines.errors import MismatchError, PipelineError
from tasks import ClassInfo, Kind, TaskSpec, get_task
from tasks.errors import ImageError, TaskError
from tasks.held_out import HeldOut, read_held_out
from tasks.imaging import decode, overlay
from tasks.quality import count, quality

TOLERANCE = 0.001
# One figure a picture, under the name that training's evaluation gives it.
FIGURES = {
    Kind.BINARY_SEGMENTATION: ("dice", "Dice"),
    Kind.SEMANTIC_SEGMENTATION: ("mean_iou", "mean IoU"),
    Kind.CLASSIFICATION: ("probability_of_truth", "probability of the true class"),
}
# What a reader looks for in a comparison: what was found, what was invented, what was missed.
COMPARISON = (
    ClassInfo("background", (0, 0, 0)),
    ClassInfo("found", (0, 220, 0)),
    ClassInfo("invented", (255, 40, 40)),
    ClassInfo("missed", (60, 120, 255)),
)


@dataclass(frozen=True)
class ServedImage:
    """One held-out picture: its figure (see `FIGURES`), from the server and offline, and the call's duration."""

    name: str
    served: float
    offline: float
    elapsed_ms: float

    def to_dict(self, figure: str) -> dict[str, Any]:
        """Return it ready for JSON, with the figure's name in the keys."""
        figures = {f"{figure}_served": self.served, f"{figure}_offline": self.offline}
        return {"name": self.name, **figures, "elapsed_ms": self.elapsed_ms}


def infer(url: str, model: Path, out: Path, console: Console) -> list[ServedImage]:
    """Ask for every held-out picture, save overlays under `out/overlays` and the figures as `out/served.json`.

    Args:
        url: gRPC address of the server.
        model: a model folder; its `held_out` was judged offline by the training.
        out: a folder to write.
        console: gets a line for each picture.

    Raises:
        MismatchError: a served figure differs from the offline one by more than `TOLERANCE`; all is saved before.
        PipelineError: there are no held-out pictures.
        fovea_client.FoveaError: the server refused a picture or did not answer.
    """
    task, offline, pictures = _read_model(model)
    key, title = FIGURES[task.kind]
    try:
        (out / "overlays").mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise PipelineError(f"the folder {out} cannot be written ({error}); name another one with --out") from error
    results = []
    with Client(url) as client:
        for picture in pictures:
            served, elapsed_ms = _ask(client, task, picture, out / "overlays" / picture.name)
            result = ServedImage(picture.name, served, offline[picture.name][key], elapsed_ms)
            results.append(result)
            console.print(
                f"{result.name}  {title} served {result.served:.4f}  offline {result.offline:.4f}  {elapsed_ms:.0f} ms"
            )
    (out / "served.json").write_text(json.dumps([result.to_dict(key) for result in results], indent=2))
    _require_equal(results, title)
    return results


def _read_model(model: Path) -> tuple[TaskSpec, dict[str, Any], list[HeldOut]]:
    try:
        task = get_task(json.loads((model / "model.json").read_text())["task"])
        offline = json.loads((model / "evaluation.json").read_text())["per_image"]
        return task, offline, read_held_out(model, task)
    except (TaskError, ImageError, OSError, ValueError, KeyError) as error:
        raise PipelineError(f"{model} is not a model folder of `python -m training`: {error}") from error


def _ask(client: Client, task: TaskSpec, picture: HeldOut, stem: Path) -> tuple[float, float]:
    """Return the picture's figure and the call's milliseconds; a segmentation's overlays are saved."""
    if task.kind is Kind.CLASSIFICATION:
        classified = client.classify(picture.image, task=task.name)
        return classified.probability[task.classes[int(picture.truth)].name], classified.elapsed_ms
    answer = client.segment(picture.image, task=task.name)
    _save_overlays(answer.mask, picture, task, stem)
    return quality(count(answer.mask, picture.truth, picture.judged, task), task), answer.elapsed_ms


def _save_overlays(mask: npt.NDArray[np.uint8], picture: HeldOut, task: TaskSpec, stem: Path) -> None:
    image = decode(picture.image.read_bytes(), task.limits)
    truth = picture.truth
    # Where the server names another class than the expert, one colour has to do: invented.
    kinds = [(mask == truth) & (truth > 0), mask > 0, truth > 0]
    comparison = np.where(picture.judged, np.select(kinds, [1, 2, 3], 0), 0).astype(np.uint8)
    for suffix, plane, classes in (("overlay", mask, task.classes), ("comparison", comparison, COMPARISON)):
        path = stem.with_name(f"{stem.name}_{suffix}.png")
        Image.fromarray(overlay(image, plane, classes)).save(path)


def _require_equal(results: list[ServedImage], title: str) -> None:
    worst = max(results, key=lambda result: abs(result.served - result.offline))
    # Written so that a NaN is no agreement.
    if not abs(worst.served - worst.offline) <= TOLERANCE:
        raise MismatchError(
            f"{worst.name}: {title} through the server is {worst.served:.4f} and offline {worst.offline:.4f}; "
            f"they may differ by {TOLERANCE}. The served release is not the model that was evaluated"
        )
