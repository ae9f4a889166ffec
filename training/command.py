"""From words to typed configurations, and from errors to an exit status: what every command here shares."""

import shlex
from collections.abc import Callable, Sequence
from typing import TypeVar

from hydra import compose, initialize_config_module
from hydra.errors import HydraException
from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException
from rich.console import Console
from yaml import YAMLError

from training.config import TrainingConfig, one_sentence, register_schema
from training.errors import ConfigError, StoppedError, TrainingError
from training.train import train

Options = TypeVar("Options")


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
            composed = compose("config", list(overrides))
        config = OmegaConf.to_object(composed)
    except (HydraException, OmegaConfBaseException) as error:
        raise ConfigError(one_sentence(error)) from error
    assert isinstance(config, TrainingConfig)  # noqa: S101 - the schema is that class
    return config


def own_options(words: Sequence[str], schema: type[Options]) -> tuple[Options, list[str]]:
    """Return a command's own options, a dataclass, and the words that are not about them.

    Raises:
        ConfigError: a value of the wrong type.
    """
    keys = vars(schema()).keys()
    own = [word for word in words if word.partition("=")[0] in keys]
    try:
        merged = OmegaConf.merge(OmegaConf.structured(schema), OmegaConf.from_dotlist(own))
        options = OmegaConf.to_object(merged)
    except (OmegaConfBaseException, YAMLError) as error:
        raise ConfigError(one_sentence(error)) from error
    assert isinstance(options, schema)  # noqa: S101 - the schema is that class
    return options, [word for word in words if word not in own]


def only_options(words: Sequence[str], schema: type[Options]) -> Options:
    """Return the options of a command that takes no others.

    Raises:
        ConfigError: a key that it does not have, or a value of the wrong type.
    """
    options, others = own_options(words, schema)
    if others:
        raise ConfigError(f"{others[0]!r} is not understood; the keys are: {', '.join(vars(schema()))}")
    return options


def as_typed(command: str, words: Sequence[str]) -> str:
    """Return a call of this package as it is typed in a shell."""
    return shlex.join(["python", "-m", "training", *([command] if command else []), *words])
