"""The only place that knows MLflow: parameters, curves, metrics and the model's files of a run."""

import os
from pathlib import Path
from typing import Any

from lightning.pytorch.loggers import MLFlowLogger

from training.config import TrackingConfig


class Run:
    """One MLflow run. `logger` goes to Lightning; what is not a training curve is logged here."""

    def __init__(self, config: TrackingConfig, name: str) -> None:
        os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"  # a training run tells nobody outside
        os.environ["MLFLOW_LOGGING_LEVEL"] = "WARNING"  # its database's housekeeping is no news for anyone
        if config.uri.startswith("sqlite:///"):
            Path(config.uri.removeprefix("sqlite:///")).parent.mkdir(parents=True, exist_ok=True)
        self.logger = MLFlowLogger(
            experiment_name=config.experiment,
            tracking_uri=config.uri,
            artifact_location=Path(config.artifacts).resolve().as_uri(),
            run_name=name,
        )

    @property
    def run_id(self) -> str:
        """Return MLflow's id of the run; the run is created by the first call."""
        return str(self.logger.run_id)

    def log_params(self, params: dict[str, Any]) -> None:
        """Log a nested mapping as `a/b/c` = value."""
        self.logger.log_hyperparams(params)

    def log_metrics(self, metrics: dict[str, float]) -> None:
        """Log final figures under `held_out_<name>`."""
        self.logger.log_metrics({f"held_out_{name}": value for name, value in metrics.items()})

    def log_file(self, path: Path) -> None:
        """Store a copy of the file with the run."""
        self.logger.experiment.log_artifact(self.run_id, str(path))

    def finish(self, *, succeeded: bool) -> None:
        """Close the run as FINISHED or FAILED."""
        self.logger.finalize("success" if succeeded else "failed")
