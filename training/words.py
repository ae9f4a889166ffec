"""The words of a call: a command's own options out of them, and the call as it was typed; imported in no time."""

import re
import shlex
from collections.abc import Sequence
from typing import Any, TypeVar

from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException
from yaml import YAMLError

from training.config import one_sentence
from training.errors import ConfigError

Options = TypeVar("Options")
_PATHS = ("data.root", "out", "resume", "tracking.uri", "tracking.artifacts", "tracking.folder")
# What Hydra reads as it stands; commas separate the runs of a multirun.
_PLAIN_PATH = re.compile(r"[A-Za-z0-9_./:@,+-]+")


def own_options(words: Sequence[str], schema: type[Options]) -> tuple[Options, list[str]]:
    """Return a command's own options, a dataclass, and the words that are not about them.

    Raises:
        ConfigError: a value of the wrong type.
    """
    own = [word for word in words if _is_own(word, schema)]
    defaults = vars(schema())
    given = [(key, value) for key, _, value in (word.partition("=") for word in own)]
    try:
        lists = OmegaConf.from_dotlist(
            [f"{key}=[{value.strip('[]')}]" for key, value in given if isinstance(defaults[key], list)]
        )
        # Everything else is taken as it stands: a folder's name is no YAML.
        others = {key: _plain(value) for key, value in given if not isinstance(defaults[key], list)}
        options = OmegaConf.to_object(OmegaConf.merge(OmegaConf.structured(schema), lists, others))
    except (OmegaConfBaseException, YAMLError) as error:
        raise ConfigError(one_sentence(error)) from error
    assert isinstance(options, schema)  # noqa: S101 - the schema is that class
    return options, [word for word in words if not _is_own(word, schema)]


def only_options(words: Sequence[str], schema: type[Options]) -> Options:
    """Return the options of a command that takes no others.

    Raises:
        ConfigError: a key that it does not have, or a value of the wrong type.
    """
    strangers = [word for word in words if not _is_own(word, schema)]
    if strangers:
        raise ConfigError(f"{strangers[0]!r} is not understood; the keys are: {', '.join(vars(schema()))}")
    return own_options(words, schema)[0]


def _is_own(word: str, schema: type[Any]) -> bool:
    key, sign, _ = word.partition("=")
    return bool(sign) and key in vars(schema())


def _plain(value: str) -> Any:
    # A value that is left empty, or null, is the key's default where that is null.
    return None if value in ("", "null") else value.strip("'\"")


def for_hydra(words: Sequence[str]) -> list[str]:
    """Return the words with quoted paths: Hydra's own grammar knows neither letters beyond ASCII nor an equals sign."""
    return [_with_quoted_path(word) for word in words]


def _with_quoted_path(word: str) -> str:
    key, _, value = word.partition("=")
    if key not in _PATHS or value[:1] in ("", "'", '"') or _PLAIN_PATH.fullmatch(value):
        return word
    escaped = value.replace("'", "\\'").replace("${", "\\${")
    return f"{key}='{escaped}'"


def as_typed(command: str, words: Sequence[str]) -> str:
    """Return a call of this package as it is typed in a shell."""
    return shlex.join(["python", "-m", "training", *([command] if command else []), *words])
