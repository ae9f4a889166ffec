"""Runs in Weights & Biases, offline unless told otherwise: nothing is sent, `wandb sync` sends it later."""

import math
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lightning.pytorch.loggers import WandbLogger

from training.config import TrackingConfig
from training.errors import TrainingError
from training.tracking.run import Run
from training.weights import ModelCard

try:
    import wandb
except ImportError as missing:
    raise TrainingError("tracking=wandb needs the extra: pip install -e '.[wandb]'") from missing

_PICTURES = {".png", ".jpg"}


class WandbRun(Run):
    """One run of a Weights & Biases project.

    Raises:
        TrainingError: its folder cannot be written, or the server cannot be reached in the mode `online`.
    """

    logger: WandbLogger

    def __init__(self, config: TrackingConfig, name: str, *, parent_id: str = "", run_id: str = "") -> None:
        os.environ["WANDB_SILENT"] = "true"  # its advice does not belong between our lines
        folder = Path(config.folder)
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self.run = wandb.init(
                project=config.experiment,
                name=name,
                id=run_id or None,
                resume="allow" if run_id else None,
                group=parent_id or None,
                dir=folder,
                mode="online" if config.mode == "online" else "offline",
                reinit="create_new",
                settings=wandb.Settings(console="off", x_disable_stats=True, disable_git=True, init_timeout=30),
            )
        except (wandb.Error, OSError) as error:
            raise TrainingError(_unusable(config, error)) from error
        self.failures = (wandb.Error,)
        self.logger = WandbLogger(experiment=self.run)

    @property
    def run_id(self) -> str:
        """Return the run's id."""
        return str(self.run.id)

    def log_params(self, params: Mapping[str, Any]) -> None:
        """Record a nested mapping."""
        self.run.config.update(dict(params), allow_val_change=True)

    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        """Record figures: in the summary, or on a curve where a step is given."""
        finite = {name: value for name, value in metrics.items() if math.isfinite(value)}
        if step is None:
            self.run.summary.update(finite)
        else:
            self.run.log(finite | {"step": step})

    def log_tags(self, tags: Mapping[str, str]) -> None:
        """Record in the configuration: tags are single words here."""
        known = dict(self.run.config.get("made_from", {}))
        self.run.config.update({"made_from": known | dict(tags)}, allow_val_change=True)

    def log_file(self, path: Path, folder: str = "") -> None:
        """Store a copy of the file; pictures become panels."""
        if path.suffix in _PICTURES:
            self.run.log({f"{folder}/{path.stem}".lstrip("/"): wandb.Image(str(path))})
        else:
            self.run.save(str(path), base_path=str(path.parent), policy="now")

    def log_model(self, card: ModelCard, folder: Path) -> None:
        """Store weights and card as a model artifact, and the data's digest as one without files."""
        data = wandb.Artifact(f"{card.task}-data", "dataset", metadata={"digest": card.data_digest})
        self.run.use_artifact(data) if self.run.settings.mode == "online" else self.run.log_artifact(data)
        model = wandb.Artifact(f"{card.task}-model", "model", metadata={"weights_sha256": card.weights_sha256})
        for name in ("model.safetensors", "model.json"):
            model.add_file(str(folder / name))
        self.run.log_artifact(model)

    def finish(self, *, succeeded: bool) -> None:
        """Close the run."""
        self.run.finish(exit_code=0 if succeeded else 1)


def _unusable(config: TrackingConfig, error: Exception) -> str:
    said = str(error).strip() or type(error).__name__
    return f"runs cannot be recorded in {config.folder} ({said.splitlines()[0][:160]}); correct tracking.folder or mode"
