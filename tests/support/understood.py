"""Whether a front door understands the words of a command: its own parser reads them, and nothing is done."""

import argparse
from collections.abc import Sequence
from importlib import import_module
from importlib.util import find_spec

import pytest

KEY_VALUE = ("training", "export")


class _Parsed(BaseException):  # no door may take it for an error of its own
    """The words were understood."""


def require_understood(words: Sequence[str]) -> str:
    """Let the parser of `python -m <door> …` or `fovea …` read the words, and return the door's name.

    Raises:
        ConfigError, ExportError: keys that it does not know.
        SystemExit: flags that it does not know.
        AssertionError: there is no such door.
    """
    name, rest = _door(list(words))
    if not rest or name.startswith("ci."):  # the door alone, as a table names it; `ci` takes files and no flags
        assert find_spec(name), f"there is no {name}"
    elif name in KEY_VALUE and rest[0] != "synthesise":
        _read_keys(name, rest)
    else:
        _read_flags(name, rest)
    return name


def _door(words: list[str]) -> tuple[str, list[str]]:
    if words[0].endswith("fovea"):
        return "fovea_client", words[1:]
    assert words[1] == "-m", words
    return words[2], words[3:]


def _read_flags(name: str, words: list[str]) -> None:
    original = argparse.ArgumentParser.parse_args

    def parse(parser: argparse.ArgumentParser, given: Sequence[str] | None = None, namespace: object = None) -> None:
        original(parser, given, namespace)
        raise _Parsed

    module = "fovea_client.cli" if name == "fovea_client" else f"{name}.__main__"
    called = import_module(name if name.startswith("benchmarks.") else module).main
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(argparse.ArgumentParser, "parse_args", parse)
        with pytest.raises(_Parsed):
            called(words)


def _read_keys(name: str, words: list[str]) -> None:
    from export.benchmark import load_benchmark_config
    from export.config import load_config as load_export
    from training.command import load_config
    from training.evaluation.options import read_options
    from training.experiments.crossvalidation import CrossvalidationOptions
    from training.ingest import IngestConfig
    from training.words import only_options, own_options

    readers = {
        "crossvalidate": lambda rest: load_config(own_options(rest, CrossvalidationOptions)[1]),
        "evaluate": read_options,
        "ingest": lambda rest: only_options(rest, IngestConfig),
        "benchmark": load_benchmark_config,
        "verify": lambda rest: None if len(rest) == 1 else pytest.fail("one folder"),
    }
    command = words[0] if words[0] in readers else ""
    reader = readers[command] if command else {"training": load_config, "export": load_export}[name]
    reader(words[1:] if command else words)
