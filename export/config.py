"""What an export can be told, typed; given as key=value on the command line."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar, cast

from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException

from export.errors import ExportError
from export.formats import FORMATS
from export.pictures import ENOUGH
from tasks import TASKS
from training.config import TrackingConfig, one_sentence
from training.tracking.registry import fetch

Options = TypeVar("Options")

# What a model can be in the registry.
ALIASES = ("champion", "challenger")


@dataclass
class ExportConfig:
    """Which trained model, as what, where to.

    Attributes:
        task: what the model must have been trained for; whatever its card says if null.
        model: a model folder that `python -m training` wrote, a shipped weight without its suffix, or `champion` or
            `challenger` of the registry; `build/training/<task>` if null.
        uri: of that registry, as `tracking.uri`.
        pictures: root of a labelled data set to compare on, instead of the model folder's held-out pictures.
        images: fewer pictures than this are compared in several orientations.
        calibration: root of the data set that the model was trained on, for INT8, whose ranges come from pictures
            that it learnt from. Where the model was trained if null.
        formats: names from `FORMATS`.
        to: where the release is placed; tasks that it holds already stay in it.
        work: where artefacts are written and measured before that.
    """

    task: str | None = None
    model: str | None = None
    pictures: str | None = None
    images: int = ENOUGH
    calibration: str | None = None
    formats: list[str] = field(default_factory=lambda: [name for name, each in FORMATS.items() if each.by_default])
    to: str = "build/model_repository"
    work: str = "build/export"
    uri: str = TrackingConfig.uri

    def model_folder(self) -> Path:
        """Return where the model lies; one of the registry is fetched.

        Raises:
            ExportError: an alias without a task.
            training.errors.TrainingError: nobody carries the alias.
        """
        if self.model in ALIASES:
            if self.task is None:
                raise ExportError(f"model={self.model} is a part that one model of every task has; name the task= too")
            return fetch(self.task, self.model, self.uri)
        return Path(self.model or f"build/training/{self.task or 'vessels'}")


def load_config(words: list[str]) -> ExportConfig:
    """Return the configuration with the overrides.

    Raises:
        ExportError: a key that does not exist, a value of the wrong type, a task or format that there is not.
    """
    config = merged(words, ExportConfig)
    unknown = [name for name in config.formats if name not in FORMATS]
    if unknown or not config.formats:
        raise ExportError(f"formats={config.formats} must name some of {', '.join(FORMATS)}")
    if config.images < 1:
        raise ExportError(f"images={config.images} must be at least 1")
    if config.task is not None and config.task not in TASKS:
        raise ExportError(f"task={config.task} must be one of {', '.join(TASKS)}")
    return config


def merged(words: Sequence[str], schema: type[Options]) -> Options:
    """Return a command's options, a dataclass, with the overrides.

    Raises:
        ExportError: a key that does not exist or a value of the wrong type.
    """
    try:
        given = OmegaConf.merge(OmegaConf.structured(schema), OmegaConf.from_dotlist(list(words)))
        return cast(Options, OmegaConf.to_object(given))
    except (OmegaConfBaseException, ValueError) as error:
        raise ExportError(one_sentence(error)) from error
