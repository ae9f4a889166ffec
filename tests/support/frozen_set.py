"""What a release loop meets: a frozen test set of people whom no training of the tests knows, and another camera."""

import json
from pathlib import Path

import cv2
import numpy as np
from untrained import untrained

from pipelines.judging.frozen import FrozenSet, freeze
from tasks import get_task
from training.evaluation import evaluate
from training.held_out import keep_held_out
from training.sources import read_samples
from training.synthetic import write_dataset

STRANGERS = 40


def frozen_set(folder: Path, subjects: int = 3, size_px: int = 384) -> FrozenSet:
    """Draw the eyes, freeze them in `folder`/test_set and return the set."""
    root, model = folder / "strangers", folder / "strangers_model"
    write_dataset(root, subjects=subjects, seed=99, size_px=size_px)
    for path in sorted(root.rglob("Image_*")):
        number = int(path.name[6:8])
        path.rename(path.with_name(path.name.replace(f"Image_{number:02}", f"Image_{number + STRANGERS:02}")))
    task = get_task("vessels")
    samples = read_samples(root, task)
    for item in evaluate(untrained(task), samples, task):
        keep_held_out(item, task, model / "held_out")
    held_out = sorted({sample.subject for sample in samples})
    (model / "model.json").write_text(json.dumps({"task": task.name, "subjects": {"held_out": held_out}}))
    return freeze(model, folder / "test_set")


def from_another_camera(images: Path, to: Path) -> Path:
    """Write the pictures to a new folder as a camera would take them that sees more red and less blue; return it."""
    to.mkdir()
    for path in images.iterdir():
        picture = cv2.imread(str(path)).astype(np.float32) * (0.7, 0.8, 1.2)
        cv2.imwrite(str(to / path.name), np.clip(picture, 0, 255).astype(np.uint8))
    return to
