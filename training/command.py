"""From command-line overrides to a typed configuration, and from errors to an exit status."""

from hydra import compose, initialize_config_module
from hydra.errors import HydraException
from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException
from rich.console import Console

from training.config import TrainingConfig, one_sentence, register_schema
from training.errors import StoppedError, TrainingError
from training.train import train


def load_config(overrides: list[str]) -> TrainingConfig:
    """Return the configuration of `training/conf` with the overrides, as dataclasses.

    Raises:
        TrainingError: a key that does not exist, a value of the wrong type, a mandatory key without a value.
    """
    # Hydra's syntax to add and remove keys goes round the types.
    added = [word for word in overrides if word.startswith(("+", "~"))]
    if added:
        raise TrainingError(f"{added[0]} would add or remove a key; every key there is stands in training/config.py")
    register_schema()
    try:
        with initialize_config_module("training.conf", version_base="1.3"):
            composed = compose("config", overrides)
        config = OmegaConf.to_object(composed)
    except (HydraException, OmegaConfBaseException) as error:
        raise TrainingError(one_sentence(error)) from error
    assert isinstance(config, TrainingConfig)  # noqa: S101 - the schema is that class
    return config


def run_training(overrides: list[str], console: Console) -> int:
    """Train as told and return the exit status."""
    try:
        config = load_config(overrides)
        folder = train(config, console)
    except StoppedError as stop:
        console.print(str(stop), markup=False)
        return 128 + stop.signal_number
    except TrainingError as error:
        console.print(f"error: {error}", style="red", markup=False)
        return 1
    except KeyboardInterrupt:
        console.print("interrupted before the training began")
        return 130
    console.print(f"model: {folder}")
    return 0
