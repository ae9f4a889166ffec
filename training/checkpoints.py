"""The state of a run between two steps: where it lies, and whether a file is one that this run can go on with."""

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from training.config import TrainingConfig
from training.errors import ConfigError
from training.samples import Sample

CHECKPOINT = "checkpoint.ckpt"
INTERRUPTED = "interrupted.ckpt"
# Of the epoch with the best validation score; only where early stopping watches it.
BEST = "best.ckpt"
ORIGIN = "fovea"


def find_checkpoint(resume: str | None) -> Path | None:
    """Return the newest checkpoint of a model folder, or the file itself; None if nothing is to be resumed.

    Raises:
        ConfigError: there is none.
    """
    if resume is None:
        return None
    path = Path(resume)
    found = newest_checkpoint(path) if path.is_dir() else path
    if found is None or not found.is_file():
        raise ConfigError(f"there is no checkpoint in {path} to resume; leave resume= out to start anew")
    return found


def newest_checkpoint(folder: Path, since_s: float = 0.0) -> Path | None:
    """Return the checkpoint of a model folder that was written last, and not before a time; None if there is none."""
    files = [path for path in (folder / INTERRUPTED, folder / CHECKPOINT) if path.is_file()]
    recent = [path for path in files if path.stat().st_mtime >= since_s]
    return max(recent, key=lambda path: path.stat().st_mtime, default=None)


def origin(config: TrainingConfig, train: Sequence[Sample]) -> dict[str, str]:
    """Return what has to stay as it was for a checkpoint to make sense: a mapping from key to value."""
    seen = hashlib.sha256("".join(sorted(sample.digest for sample in train)).encode()).hexdigest()
    return {
        "task": config.task,
        "optimiser.name": config.optimiser.name,
        "trainer.ema_decay": "on" if config.trainer.ema_decay else "off",
        # What an epoch and a step are: the place within a training is counted in epochs, batches and steps.
        "trainer.crops_per_epoch": str(config.trainer.crops_per_epoch),
        "trainer.batch_size": str(config.trainer.batch_size),
        "trainer.accumulate": str(config.trainer.accumulate),
        "trainer.devices": str(config.trainer.devices),
        "data": seen,
    }


def check_checkpoint(path: Path, state: Mapping[str, torch.Tensor], expected: Mapping[str, str], epochs: int) -> None:
    """Refuse a file that a run cannot go on with.

    Args:
        path: of the checkpoint.
        state: of the module that is to be resumed.
        expected: what `origin` returns for this run.
        epochs: of this run.

    Raises:
        ConfigError: damaged, of something else, of another network, optimiser or other training pictures, or already
            trained for longer.
    """
    checkpoint = _load(path)
    written = checkpoint.get(ORIGIN)
    if not isinstance(written, dict) or "state_dict" not in checkpoint:
        raise ConfigError(f"{path} is no checkpoint of a training run; leave resume= out to start anew")
    for key, value in expected.items():
        if written.get(key, value) != value:
            raise ConfigError(_other(path, key, str(written.get(key))))
    if epochs <= int(checkpoint.get("epoch", 0)):
        raise ConfigError(
            f"{path} is in epoch {int(checkpoint['epoch']) + 1} already; give trainer.epochs of at least that many"
        )
    shapes = {name: tensor.shape for name, tensor in state.items()}
    if shapes != {name: tensor.shape for name, tensor in checkpoint["state_dict"].items()}:
        raise ConfigError(f"{path} was written by another network; give network=… as it was trained with")


def _other(path: Path, key: str, value: str) -> str:
    if key == "data":
        return f"{path} was trained on other pictures; give data.* as they were, or leave resume= out to start anew"
    return f"{path} was written with {key} {value}; give it again, or leave resume= out to start anew"


def _load(path: Path) -> dict[str, Any]:
    try:
        checkpoint = torch.load(path, map_location="cpu", weights_only=True)
    # A text file makes the reader stumble anywhere, over an index as well as over an assertion.
    except Exception as error:
        raise ConfigError(f"{path} is not a readable checkpoint; leave resume= out to start anew") from error
    return checkpoint if isinstance(checkpoint, dict) else {}
