"""Releases for the cluster's tests: one small task with a network that answers in a millisecond, made in seconds."""

import io
from pathlib import Path

import numpy as np
from PIL import Image
from untrained import model_folder

from export.config import ExportConfig
from export.export import export
from tasks import TASKS

TASK = "eye_disease"


def place_release(folder: Path, seed: int) -> Path:
    """Place a release of an untrained network and return its folder; another seed gives another digest."""
    model = model_folder(TASKS[TASK], folder / "training", seed)
    words = {"to": str(folder / "model_repository"), "work": str(folder / "export")}
    export(ExportConfig(task=TASK, model=str(model), images=4, formats=["onnx"], **words), lambda _: None)
    return (folder / "model_repository").resolve()


def write_image(path: Path) -> Path:
    """Write a small picture to ask about."""
    pixels = np.random.default_rng(1).integers(0, 256, (64, 64, 3), np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    path.write_bytes(buffer.getvalue())
    return path
