"""Runs in MLflow: a local SQLite database, or a server by its address."""

import math
import time
from collections.abc import Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from lightning.pytorch.loggers import MLFlowLogger
from mlflow.entities import Metric, RunTag
from mlflow.utils.mlflow_tags import MLFLOW_PARENT_RUN_ID

from training.config import TrackingConfig
from training.tracking.mlflow_client import failures, open_client, usable
from training.tracking.mlflow_model import log_model
from training.tracking.run import Run
from training.weights import ModelCard


class MlflowRun(Run):
    """One MLflow run.

    Raises:
        TrainingError: the database or the server cannot be used.
    """

    logger: MLFlowLogger

    def __init__(self, config: TrackingConfig, name: str, *, parent_id: str = "", run_id: str = "") -> None:
        self.config = config
        self.failures = failures()
        self.client = open_client(config.uri)
        # A server decides itself where its artifacts lie.
        local = config.uri.startswith("sqlite:")
        self.logger = MLFlowLogger(
            experiment_name=config.experiment,
            tracking_uri=config.uri,
            artifact_location=Path(config.artifacts).resolve().as_uri() if local else None,
            run_name=name,
            run_id=self._continued(run_id),
            tags={MLFLOW_PARENT_RUN_ID: parent_id} if parent_id else None,
        )
        with usable(config.uri):
            self._run_id = str(self.logger.run_id)

    @property
    def run_id(self) -> str:
        """Return MLflow's id of the run."""
        return self._run_id

    def log_params(self, params: Mapping[str, Any]) -> None:
        """Record a nested mapping as `a/b/c` = value; a run that is continued keeps the values it has."""
        with self._usable():
            known = set(self.client.get_run(self.run_id).data.params)
            self.logger.log_hyperparams({name: value for name, value in _flat(params).items() if name not in known})

    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        """Record figures; those that are no finite number are left out."""
        now_ms = int(time.time() * 1000)
        finite = [Metric(name, value, now_ms, step or 0) for name, value in metrics.items() if math.isfinite(value)]
        with self._usable():
            for start in range(0, len(finite), 500):
                self.client.log_batch(self.run_id, metrics=finite[start : start + 500])

    def log_tags(self, tags: Mapping[str, str]) -> None:
        """Record what the run can be found by."""
        with self._usable():
            self.client.log_batch(self.run_id, tags=[RunTag(name, value) for name, value in tags.items()])

    def log_file(self, path: Path, folder: str = "") -> None:
        """Store a copy of the file with the run."""
        with self._usable():
            self.client.log_artifact(self.run_id, str(path), folder or None)

    def log_model(self, card: ModelCard, folder: Path) -> None:
        """Store the model folder as a LoggedModel of this run; register it if the configuration says so."""
        with self._usable():
            log_model(self.client, self.run_id, card, folder, register=self.config.register)

    def finish(self, *, succeeded: bool) -> None:
        """Close the run as FINISHED or FAILED."""
        with self._usable():
            self.logger.finalize("success" if succeeded else "failed")

    def _usable(self) -> AbstractContextManager[None]:
        return usable(self.config.uri)

    def _continued(self, run_id: str) -> str | None:
        if not run_id:
            return None
        try:
            self.client.update_run(run_id, status="RUNNING")
        except self.failures:
            return None  # of another database, or deleted: the work continues in a run of its own
        return run_id


def _flat(params: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for name, value in params.items():
        flat |= _flat(value, f"{prefix}{name}/") if isinstance(value, Mapping) else {f"{prefix}{name}": value}
    return flat
