"""The words of a call: a command's own options out of them, and the call as it was typed; imported in no time."""

import shlex
from collections.abc import Sequence
from typing import TypeVar

from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException
from yaml import YAMLError

from training.config import one_sentence
from training.errors import ConfigError

Options = TypeVar("Options")


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
