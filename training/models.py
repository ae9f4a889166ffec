"""`ship` and `promote`: a trained model on its way to those who serve it."""

from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from tasks import UnknownTaskError, get_task
from training.command import exit_status
from training.config import TrackingConfig
from training.errors import ConfigError
from training.train import main_metric
from training.weights import ship
from training.words import only_options


@dataclass
class ShipOptions:
    """A call of `ship`.

    Attributes:
        model: a model folder.
        to: stem of the shipped pair, such as `weights/vessels`.
    """

    model: str = ""
    to: str = ""


@dataclass
class PromoteOptions:
    """A call of `promote`.

    Attributes:
        task: name of the task.
        version: of the registered model; the challenger if null.
        uri: of the registry.
        force: promote even if the main figure is worse or was measured on other pictures.
    """

    task: str = ""
    version: str | None = None
    uri: str = TrackingConfig.uri
    force: bool = False


def run_ship(words: list[str], console: Console) -> int:
    """Copy a model's weights and card to where the repository carries them, and return the exit status."""

    def work() -> int:
        options = only_options(words, ShipOptions)
        if not options.model or not options.to:
            raise ConfigError("ship needs model=<model folder> and to=<folder>/<task>")
        if options.to.endswith("/") or Path(options.to).is_dir():
            raise ConfigError(f"to={options.to} is a folder; name the pair in it, such as {Path(options.to)}/vessels")
        ship(Path(options.model), Path(options.to))
        console.print(f"shipped: {options.to}.safetensors, {options.to}.json", markup=False)
        return 0

    return exit_status(work, console)


def run_promote(words: list[str], console: Console) -> int:
    """Make a registered model the champion, and return the exit status."""

    def work() -> int:
        # Imported here because it takes MLflow along, which `ship` has no use for.
        from training.tracking.registry import promote  # noqa: PLC0415

        options = only_options(words, PromoteOptions)
        try:
            metric = main_metric(get_task(options.task))
        except UnknownTaskError as error:
            raise ConfigError(f"promote needs task=<name>: {error}") from error
        said = promote(options.task, options.uri, metric, version=options.version, force=options.force)
        console.print(said, markup=False)
        return 0

    return exit_status(work, console)
