"""What a search may vary, typed and checked before the first trial."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import optuna
import yaml
from omegaconf import OmegaConf

from training.config import TrainingConfig
from training.errors import ConfigError

FOLDER = Path(__file__).parents[1] / "conf" / "search"


@dataclass(frozen=True)
class Range:
    """Numbers from `low` to `high`; whole ones if both bounds are. `log` draws their logarithm evenly."""

    low: float
    high: float
    log: bool = False

    def suggest(self, trial: optuna.Trial, key: str) -> str:
        """Return a value as it is typed."""
        if isinstance(self.low, int) and isinstance(self.high, int):
            return str(trial.suggest_int(key, self.low, self.high, log=self.log))
        return repr(trial.suggest_float(key, self.low, self.high, log=self.log))


@dataclass(frozen=True)
class Choices:
    """One of several values, as they are typed."""

    choices: tuple[str, ...]

    def suggest(self, trial: optuna.Trial, key: str) -> str:
        """Return a value as it is typed."""
        return str(trial.suggest_categorical(key, self.choices))


SearchSpace = dict[str, Range | Choices]


def read_space(path: Path) -> SearchSpace:
    """Return a search space: YAML with a mapping `low`, `high` and perhaps `log`, or `choices`, for each key.

    Raises:
        ConfigError: no such file, a key that no configuration has, or bounds that make no sense.
    """
    try:
        content = yaml.safe_load(path.read_text())
    except (OSError, yaml.YAMLError) as error:
        raise ConfigError(
            f"the search space {path} cannot be read ({str(error).splitlines()[0]}); give search="
        ) from error
    if not isinstance(content, dict) or not content:
        raise ConfigError(f"the search space {path} names no key; give at least one with low and high, or choices")
    return {str(key): _entry(str(key), value, path) for key, value in content.items()}


def _entry(key: str, value: Any, path: Path) -> Range | Choices:
    known = OmegaConf.create(OmegaConf.to_container(OmegaConf.structured(TrainingConfig)))
    if OmegaConf.select(known, key, default=_entry) is _entry:
        raise ConfigError(f"{path}: {key} is no key of a configuration; they stand in training/config.py")
    if isinstance(value, Mapping) and set(value) == {"choices"} and isinstance(value["choices"], list):
        return Choices(tuple(_typed(choice) for choice in value["choices"]))
    if isinstance(value, Mapping) and {"low", "high"} <= set(value) <= {"low", "high", "log"}:
        return _range(key, value, path)
    raise ConfigError(f"{path}: {key} needs low and high (and log: true), or choices: [ … ]")


def _range(key: str, value: Mapping[str, Any], path: Path) -> Range:
    low, high, log = value["low"], value["high"], bool(value.get("log", False))
    numbers = all(isinstance(bound, int | float) and not isinstance(bound, bool) for bound in (low, high))
    if not numbers or not low < high or (log and low <= 0):
        raise ConfigError(f"{path}: {key} goes from {low!r} to {high!r}; low must be below high, and above 0 for log")
    return Range(low, high, log)


def _typed(choice: Any) -> str:
    if isinstance(choice, bool) or choice is None:
        return str(choice).lower().replace("none", "null")
    return str(choice).replace(" ", "")
