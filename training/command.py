"""From words to a run's typed configuration, and from errors to an exit status."""

from collections.abc import Callable, Sequence

from hydra import compose, initialize_config_module
from hydra.errors import HydraException
from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException
from rich.console import Console

from training.config import TrainingConfig, one_sentence, register_schema
from training.errors import ConfigError, StoppedError, TrainingError
from training.train import train
from training.words import for_hydra


def run_training(words: list[str], console: Console) -> int:
    """Train as told and return the exit status."""

    def work() -> int:
        console.print(f"model: {train(load_config(words), console)}", markup=False)
        return 0

    return exit_status(work, console)


def exit_status(work: Callable[[], int], console: Console) -> int:
    """Return what `work` returns; an error is printed as its sentence.

    Returns:
        1 if it could not be done, 2 for a wrong call, 128 and the signal's number if it was stopped.
    """
    try:
        return work()
    except StoppedError as stop:
        console.print(str(stop), markup=False)
        return 128 + stop.signal_number
    except TrainingError as error:
        console.print(f"error: {error}", style="red", markup=False)
        return 2 if isinstance(error, ConfigError) else 1
    except OSError as error:
        console.print(f"error: the machine refused: {error}", style="red", markup=False)
        return 1
    except KeyboardInterrupt:
        console.print("interrupted before the training began")
        return 130


def load_config(overrides: Sequence[str]) -> TrainingConfig:
    """Return the configuration of `training/conf` with the overrides, as dataclasses.

    Raises:
        ConfigError: a key that does not exist, a value of the wrong type, a mandatory key without a value.
    """
    # Hydra's syntax to add and remove keys goes round the types.
    added = [word for word in overrides if word.startswith(("+", "~"))]
    if added:
        raise ConfigError(f"{added[0]} would add or remove a key; every key there is stands in training/config.py")
    register_schema()
    try:
        with initialize_config_module("training.conf", version_base="1.3"):
            composed = compose("config", for_hydra(overrides))
        config = OmegaConf.to_object(composed)
    except (HydraException, OmegaConfBaseException) as error:
        raise ConfigError(one_sentence(error)) from error
    assert isinstance(config, TrainingConfig)  # noqa: S101 - the schema is that class
    return config
