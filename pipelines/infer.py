"""Held-out pictures through the running server, compared with what training's evaluation got offline."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from fovea_client import Client
from PIL import Image
from rich.console import Console

from pipelines.errors import MismatchError, PipelineError
from tasks import ClassInfo, TaskSpec, get_task
from tasks.errors import ImageError
from tasks.held_out import HeldOut, read_held_out
from tasks.imaging import decode, overlay
from tasks.metrics import dice
from tasks.processing import Prediction

TOLERANCE = 0.001
# What a reader looks for in a comparison: what was found, what was invented, what was missed.
COMPARISON = (
    ClassInfo("background", (0, 0, 0)),
    ClassInfo("found", (0, 220, 0)),
    ClassInfo("invented", (255, 40, 40)),
    ClassInfo("missed", (60, 120, 255)),
)


@dataclass(frozen=True)
class ServedImage:
    """One held-out picture: Dice inside the field of view, from the server and offline, and the call's duration."""

    name: str
    dice_served: float
    dice_offline: float
    elapsed_ms: float


def infer(url: str, model: Path, out: Path, console: Console) -> list[ServedImage]:
    """Segment every held-out picture, save overlays under `out/overlays` and the figures as `out/served.json`.

    Args:
        url: gRPC address of the server.
        model: a model folder; its `held_out` was judged offline by the training.
        out: a folder to write.

    Raises:
        MismatchError: a served Dice differs from the offline one by more than `TOLERANCE`; everything is saved before.
        PipelineError: there are no held-out pictures.
        fovea_client.FoveaError: the server refused a picture or did not answer.
    """
    card, offline, pictures = _read_model(model)
    try:
        (out / "overlays").mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise PipelineError(f"the folder {out} cannot be written ({error}); name another one with --out") from error
    results = []
    with Client(url) as client:
        for picture in pictures:
            result = _infer_one(client, get_task(card["task"]), picture, offline[picture.name]["dice"], out)
            results.append(result)
            console.print(
                f"{result.name}  Dice served {result.dice_served:.4f}  offline {result.dice_offline:.4f}  "
                f"{result.elapsed_ms:.0f} ms"
            )
    (out / "served.json").write_text(json.dumps([asdict(result) for result in results], indent=2))
    _require_equal(results)
    return results


def _read_model(model: Path) -> tuple[dict[str, Any], dict[str, Any], list[HeldOut]]:
    try:
        card = json.loads((model / "model.json").read_text())
        offline = json.loads((model / "evaluation.json").read_text())["per_image"]
        return card, offline, read_held_out(model)
    except (ImageError, OSError, ValueError) as error:
        raise PipelineError(f"{model} is not a model folder of `python -m training`: {error}") from error


def _infer_one(client: Client, task: TaskSpec, picture: HeldOut, dice_offline: float, out: Path) -> ServedImage:
    answer = client.segment(picture.image, task=task.name)
    image = decode(picture.image.read_bytes(), task.limits)
    prediction = Prediction(answer.mask, answer.probability)
    _save_overlays(image, prediction, picture.truth, task, out / "overlays" / picture.name)
    inside = picture.field_of_view
    served = dice(prediction.mask[inside] > 0, picture.truth[inside])
    return ServedImage(picture.name, served, dice_offline, answer.elapsed_ms)


def _save_overlays(
    image: npt.NDArray[np.uint8], prediction: Prediction, truth: npt.NDArray[np.bool_], task: TaskSpec, stem: Path
) -> None:
    found = prediction.mask > 0
    comparison = np.select([found & truth, found & ~truth, ~found & truth], [1, 2, 3], 0).astype(np.uint8)
    for suffix, mask, classes in (("overlay", prediction.mask, task.classes), ("comparison", comparison, COMPARISON)):
        path = stem.with_name(f"{stem.name}_{suffix}.png")
        Image.fromarray(overlay(image, mask, classes)).save(path)


def _require_equal(results: list[ServedImage]) -> None:
    worst = max(results, key=lambda result: abs(result.dice_served - result.dice_offline))
    difference = abs(worst.dice_served - worst.dice_offline)
    if difference > TOLERANCE:
        raise MismatchError(
            f"{worst.name}: Dice through the server is {worst.dice_served:.4f} and offline {worst.dice_offline:.4f}; "
            f"they may differ by {TOLERANCE}. The served release is not the model that was evaluated"
        )
