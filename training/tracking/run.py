"""What a run is told, whoever records it."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Literal

from lightning.pytorch.loggers import Logger

from training.errors import TrainingError
from training.weights import ModelCard

# What of a model folder is recorded beside the model itself; what is not there is left out.
_FILES = ("model.json", "model.safetensors", "history.json", "evaluation.json")
_PICTURES = "plots"


class Run(ABC):
    """One run.

    Attributes:
        logger: for Lightning, which records the curves; False where nothing is recorded.
        failures: what the logger's calls raise when the record can no longer be written. The run's own calls raise
            TrainingError then.
    """

    logger: Logger | Literal[False] = False
    failures: tuple[type[Exception], ...] = ()

    @property
    @abstractmethod
    def run_id(self) -> str:
        """Return the run's id; empty where nothing is recorded."""

    @abstractmethod
    def log_params(self, params: Mapping[str, Any]) -> None:
        """Record a nested mapping as `a/b/c` = value."""

    @abstractmethod
    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        """Record figures; those that are no finite number are left out."""

    @abstractmethod
    def log_tags(self, tags: Mapping[str, str]) -> None:
        """Record what the run can be found by."""

    @abstractmethod
    def log_file(self, path: Path, folder: str = "") -> None:
        """Store a copy of the file with the run, in one of its folders; pictures are shown as such."""

    @abstractmethod
    def log_model(self, card: ModelCard, folder: Path) -> None:
        """Store the model folder as a model of this run, with its data set, signature and figures."""

    @abstractmethod
    def finish(self, *, succeeded: bool) -> None:
        """Close the run."""

    def abandon(self) -> None:
        """Close the run as failed, as far as its recorder still answers: what failed is told elsewhere."""
        with suppress(TrainingError, *self.failures):
            self.finish(succeeded=False)

    def log_outcome(self, card: ModelCard, folder: Path) -> None:
        """Record everything that a finished run has made.

        Args:
            card: of the model.
            folder: the model folder, complete.
        """
        self.log_tags(outcome_tags(card))
        self.log_metrics(outcome_metrics(card))
        for name in _FILES:
            if (folder / name).is_file():
                self.log_file(folder / name)
        for picture in sorted((folder / _PICTURES).glob("*.*")):
            self.log_file(picture, _PICTURES)
        self.log_model(card, folder)


class NoRun(Run):
    """Nothing is recorded: `tracking=none`, and every process but the first of a distributed run."""

    @property
    def run_id(self) -> str:
        """Return an empty id."""
        return ""

    def log_params(self, params: Mapping[str, Any]) -> None:
        """Do nothing."""

    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        """Do nothing."""

    def log_tags(self, tags: Mapping[str, str]) -> None:
        """Do nothing."""

    def log_file(self, path: Path, folder: str = "") -> None:
        """Do nothing."""

    def log_model(self, card: ModelCard, folder: Path) -> None:
        """Do nothing."""

    def finish(self, *, succeeded: bool) -> None:
        """Do nothing."""


def outcome_tags(card: ModelCard) -> dict[str, str]:
    """Return what a model was made from: task, seed, data, code and libraries."""
    made = {"task": card.task, "seed": str(card.config.get("seed", "")), "weights_sha256": card.weights_sha256}
    made |= {"data_digest": card.data_digest, "code_revision": card.code_revision}
    return made | {f"version/{name}": version for name, version in card.versions.items()}


def outcome_metrics(card: ModelCard) -> dict[str, float]:
    """Return the held-out figures, the bounds of their intervals, and the network's size and cost."""
    figures = {f"held_out_{name}": value for name, value in card.metrics.items()}
    bounds = {
        f"held_out_{name}_{side}": value
        for name, interval in card.intervals.items()
        for side, value in zip(("lower", "upper"), interval, strict=True)
    }
    return figures | bounds | {"parameters": float(card.parameters), "gflops": card.gflops}
