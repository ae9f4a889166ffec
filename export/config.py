"""What an export can be told, typed; given as key=value on the command line."""

from dataclasses import dataclass, field
from typing import cast

from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException

from export.errors import ExportError
from export.formats import FORMATS
from tasks import TASKS
from training.config import one_sentence


@dataclass
class ExportConfig:
    """Which trained model, as what, where to.

    Attributes:
        task: what the model must have been trained for; whatever its card says if null.
        model: a model folder that `python -m training` wrote, or a shipped weight without its suffix;
            `build/training/<task>` if null.
        pictures: root of a labelled data set to compare on, instead of the model folder's held-out pictures.
        formats: names from `FORMATS`.
        to: where the release is placed; tasks that it holds already stay in it.
        work: where artefacts are written and measured before that.
    """

    task: str | None = None
    model: str | None = None
    pictures: str | None = None
    formats: list[str] = field(default_factory=lambda: list(FORMATS))
    to: str = "build/model_repository"
    work: str = "build/export"


def load_config(words: list[str]) -> ExportConfig:
    """Return the configuration with the overrides.

    Raises:
        ExportError: a key that does not exist, a value of the wrong type, a task or format that there is not.
    """
    try:
        merged = OmegaConf.merge(OmegaConf.structured(ExportConfig), OmegaConf.from_dotlist(words))
        config = cast(ExportConfig, OmegaConf.to_object(merged))
    except (OmegaConfBaseException, ValueError) as error:
        raise ExportError(one_sentence(error)) from error
    unknown = [name for name in config.formats if name not in FORMATS]
    if unknown or not config.formats:
        raise ExportError(f"formats={config.formats} must name some of {', '.join(FORMATS)}")
    if config.task is not None and config.task not in TASKS:
        raise ExportError(f"task={config.task} must be one of {', '.join(TASKS)}")
    return config
