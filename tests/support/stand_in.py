"""Small labelled pictures and networks whose answers are known, for every kind of task."""

import hashlib
import io
from dataclasses import replace

import numpy as np
import torch
from PIL import Image
from torch import nn

from tasks import TASKS, Kind, TaskSpec
from training.samples import Labelled, Sample


def small_task(name: str, size_px: int = 64) -> TaskSpec:
    """Return the task with a small network input, so that tests take milliseconds."""
    return replace(TASKS[name], size_px=size_px)


class ColourNetwork(nn.Module):
    """Reads the truth from the picture's red channel, which `stand_in_samples` paints: class k at level 40·k + 20."""

    def __init__(self, task: TaskSpec, sharpness: float = 40.0) -> None:
        super().__init__()
        self.task = task
        self.sharpness = nn.Parameter(torch.tensor(sharpness))
        self.multiple = 1

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """Return logits that are highest for the painted class."""
        level = (image[:, :1] + 1) * 127.5
        if self.task.kind is Kind.BINARY_SEGMENTATION:
            return (level - 40.0) / 20 * self.sharpness / 4
        first = len(self.task.classes) - self.task.outputs
        painted = torch.arange(self.task.outputs) * 40.0 + 40.0 * first + 20.0
        logits = -((level - painted[None, :, None, None]) / 40).abs() * self.sharpness
        return logits.mean(dim=(2, 3)) if self.task.kind is Kind.CLASSIFICATION else logits


class ConstantNetwork(nn.Module):
    """Answers the same logits whatever it sees."""

    def __init__(self, task: TaskSpec, logits: list[float]) -> None:
        super().__init__()
        self.task = task
        self.register_buffer("logits", torch.tensor(logits))

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """Return the logits for every pixel or picture."""
        if self.task.kind is Kind.CLASSIFICATION:
            return self.logits.expand(len(image), -1)
        return self.logits[None, :, None, None].expand(len(image), -1, *image.shape[2:])


def stand_in_samples(task: TaskSpec, count: int = 8, seed: int = 0, noise: float = 0.0) -> list[Sample]:
    """Return pictures whose red channel says the class; two of a subject; a share `noise` of the labels is wrong."""
    generator = np.random.default_rng(seed)
    return [_sample(task, index, generator, noise) for index in range(count)]


def _sample(task: TaskSpec, index: int, generator: np.random.Generator, noise: float) -> Sample:
    side_px, classes = task.size_px, len(task.classes)
    if task.kind is Kind.CLASSIFICATION:
        painted = np.full((side_px, side_px), index % classes, np.uint8)
    else:
        blocks = generator.integers(0, classes, (side_px // 16, side_px // 16))
        painted = np.kron(blocks, np.ones((16, 16), np.int64)).astype(np.uint8)
    wrong = generator.random(painted.shape) < noise
    mask = np.where(wrong, (painted + 1) % classes, painted).astype(np.uint8)
    image = np.full((side_px, side_px, 3), 120, np.uint8)
    image[:, :, 0] = painted * 40 + 20
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, "PNG")
    label = index % classes if task.kind is Kind.CLASSIFICATION else None
    view = np.ones(mask.shape, np.bool_) if task.kind is Kind.BINARY_SEGMENTATION else None
    labelled = Labelled(buffer.getvalue(), ".png", None if label is not None else mask, view)
    digest = hashlib.sha256(buffer.getvalue() + mask.tobytes() + bytes([index])).hexdigest()
    return Sample(f"picture_{index:02}", f"subject_{index // 2}", digest, lambda: labelled, label)
