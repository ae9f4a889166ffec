"""Drawn pictures with labels, and small networks that were never trained and still answer decidedly, for every task.

What export and serving must keep is what a network answers, right or wrong; training would only take time.
"""

import hashlib
import io
import json
from pathlib import Path

import cv2
import numpy as np
import torch
from PIL import Image

from tasks import FieldOfView, Kind, TaskSpec
from tasks.processing import preprocess
from training.config import NetworkConfig
from training.evaluation import evaluate, pooled_metrics
from training.held_out import keep_held_out
from training.networks import build_network
from training.samples import Labelled, Sample
from training.serving_module import Calibration, ServingModule, normalise
from training.weights import ModelCard, save_card, save_weights

SIZES = ((300, 400), (512, 512), (640, 480), (333, 250))
CALIBRATION = Calibration(temperature=1.5, threshold=0.4)


def drawn_samples(task: TaskSpec, count: int = 3, seed: int = 0) -> list[Sample]:
    """Return labelled pictures of different sizes: smooth colours, on a lit disc where the task has a field of view."""
    return [_sample(task, index, np.random.default_rng((seed, index))) for index in range(count)]


def network_config(task: TaskSpec) -> NetworkConfig:
    """Return the smallest network that the task's kind can have."""
    name = "resunet" if task.kind is Kind.CLASSIFICATION else "unet"
    return NetworkConfig(name=name, widths=[8, 16])


def untrained(task: TaskSpec, seed: int = 0) -> ServingModule:
    """Return a calibrated network whose answers use the whole range of probabilities and more than one class."""
    torch.manual_seed(seed)
    network = build_network(network_config(task), task)
    pictures = [preprocess(sample.read().encoded, task).pixels for sample in drawn_samples(task, 4)]
    batch = normalise(torch.from_numpy(np.stack(pictures)).permute(0, 3, 1, 2).float())
    for layer in network.modules():
        if isinstance(layer, torch.nn.BatchNorm2d):
            layer.momentum = None  # the plain mean: one batch sets what training would
    with torch.inference_mode():
        network.train()(batch)
        logits = network.eval()(batch)
    _spread(network, logits)
    return ServingModule(network, task, CALIBRATION).eval()


def model_folder(task: TaskSpec, folder: Path, seed: int = 0) -> Path:
    """Write what a training run leaves of an untrained network, with drawn held-out pictures, and return the folder."""
    folder.mkdir(parents=True)
    module = untrained(task, seed)
    evaluated = list(evaluate(module, drawn_samples(task, 4, seed=1), task))
    for item in evaluated:
        keep_held_out(item, task, folder / "held_out")
    metrics = pooled_metrics(evaluated, task)
    per_image = {item.sample.name: item.metrics for item in evaluated}
    (folder / "evaluation.json").write_text(json.dumps({"pooled": metrics, "per_image": per_image}))
    config = network_config(task)
    card = ModelCard(
        task=task.name,
        network={"name": config.name, "widths": list(config.widths)},
        calibration={"temperature": CALIBRATION.temperature, "threshold": CALIBRATION.threshold},
        weights_sha256=save_weights(module.network, folder),
        data_digest="drawn",
        trained_on=[],
        subjects={},
        metrics=metrics,
        intervals={},
        parameters=0,
        gflops=0.0,
        run_id="",
        code_revision="drawn",
        versions={},
    )
    save_card(card, folder)
    return folder


def _spread(network: torch.nn.Module, logits: torch.Tensor) -> None:
    """Centre every class's logits and spread them, by the last layer."""
    last = [layer for layer in network.modules() if isinstance(layer, torch.nn.Conv2d | torch.nn.Linear)][-1]
    dimensions = [axis for axis in range(logits.ndim) if axis != 1]
    middle, spread = logits.mean(dimensions), float(logits.std(dimensions).mean())
    assert last.bias is not None
    with torch.no_grad():
        # The head of a pixel shuffle has four outputs for each logit.
        last.bias -= middle.repeat_interleave(len(last.bias) // len(middle))
        last.weight *= 3 / spread
        last.bias *= 3 / spread


def _sample(task: TaskSpec, index: int, generator: np.random.Generator) -> Sample:
    height_px, width_px = SIZES[index % len(SIZES)]
    image = _smooth(generator, height_px, width_px, 3)
    disc = np.ones((height_px, width_px), np.bool_)
    if task.field_of_view is FieldOfView.FUNDUS:
        rows, columns = np.mgrid[:height_px, :width_px]
        disc = np.hypot(rows - height_px / 2, columns - width_px / 2) < 0.45 * min(height_px, width_px)
        image = np.where(disc[:, :, None], 60 + image // 4 * 3, 0).astype(np.uint8)
    classified = task.kind is Kind.CLASSIFICATION
    mask = _smooth(generator, height_px, width_px, len(task.classes)).argmax(axis=2).astype(np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, "PNG")
    binary = task.kind is Kind.BINARY_SEGMENTATION
    labelled = Labelled(buffer.getvalue(), ".png", None if classified else mask, disc if binary else None)
    digest = hashlib.sha256(buffer.getvalue() + mask.tobytes()).hexdigest()
    label = index % len(task.classes) if classified else None
    return Sample(f"drawn_{index:02}", f"subject_{index}", digest, lambda: labelled, label)


def _smooth(generator: np.random.Generator, height_px: int, width_px: int, channels: int) -> np.ndarray:
    coarse = generator.integers(0, 256, (9, 9, channels), dtype=np.uint8)
    planes = [cv2.resize(coarse[:, :, channel], (width_px, height_px)) for channel in range(channels)]
    return np.stack(planes, axis=2)
