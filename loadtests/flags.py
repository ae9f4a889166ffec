"""Endpoint and load as flags. The front door, the generator and its workers are processes that hand them on."""

import argparse
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

from loadtests.arrivals import SHAPES, shape_from
from loadtests.endpoint import Endpoint
from loadtests.load import Load

# Where neither a flag nor a file of objectives says.
LOAD_DEFAULTS = {"rate_rps": 1.0, "duration_s": 10.0, "warm_up_s": 0.0, "arrivals": "poisson", "users": 0}
# Locust has a flag --users of its own, which counts something else.
_FLAGS = {"rate_rps": "--rate", "users": "--closed-loop-users"}
_OPTIONS = {"users": "closed_loop_users"}
_FILES = ("trace", "token_file", "ca", "cert", "key")


def add_endpoint_arguments(parser: Any) -> None:
    """Add the flags of an Endpoint but `--url` to a parser or a group of one, Locust's own included."""
    parser.add_argument("--task", default="vessels", help="model to ask (default: %(default)s)")
    parser.add_argument(
        "--timeout-s", type=positive, default=10.0, metavar="S", help="patience with one request (default: %(default)s)"
    )
    parser.add_argument(
        "--connections",
        type=at_least_one,
        default=4,
        metavar="N",
        help="TCP connections of each generator process (default: %(default)s)",
    )
    for flag, meaning in (
        ("--token-file", "a bearer token"),
        ("--ca", "PEM: who may have signed the server's certificate"),
        ("--cert", "PEM: this client's certificate"),
        ("--key", "PEM: its private key"),
    ):
        parser.add_argument(flag, metavar="FILE", help=meaning)
    parser.add_argument("--server-name", metavar="NAME", help="the name in the server's certificate")
    parser.add_argument("--allow-plain-text", action="store_true", help="send the token without TLS to others too")


def add_load_arguments(parser: Any) -> None:
    """Add the flags of a Load to a parser or a group of one, Locust's own included."""
    parser.add_argument(
        "--images",
        action="append",
        metavar="DIR",
        help="folder of encoded images, DIR@WEIGHT in a mix, synthetic:N to draw some; may be given several times",
    )
    parser.add_argument("--rate", dest="rate_rps", type=positive, metavar="RPS", help="arrivals per second")
    parser.add_argument("--duration-s", type=positive, metavar="S", help="measured time, after the warm-up")
    parser.add_argument("--warm-up-s", type=not_negative, metavar="S", help="time before it that is not judged")
    parser.add_argument("--arrivals", choices=("poisson", "constant"), help="random or evenly spaced arrivals")
    parser.add_argument(
        "--shape",
        type=_shape,
        default="steady",
        metavar="SHAPE",
        help=f"how the rate changes, --rate being its highest: {', '.join(SHAPES)}, with parameters as in "
        "spike:base=0.2,width=0.1 (default: %(default)s)",
    )
    parser.add_argument("--trace", metavar="FILE", help="arrival times from a .csv or .jsonl instead of a rate")
    parser.add_argument("--seed", type=int, default=0, help="of the random arrivals (default: %(default)s)")


def endpoint_from(options: argparse.Namespace) -> Endpoint:
    """The endpoint of parsed flags."""
    return Endpoint(**_values(options, Endpoint, {}))


def load_from(options: argparse.Namespace, defaults: Mapping[str, Any]) -> Load:
    """The load of parsed flags; what no flag gives comes from `defaults`, by the names of Load."""
    values = _values(options, Load, defaults)
    return Load(**values | {"images": tuple(values["images"] or ()), "shape": shape_from(values["shape"])})


def to_arguments(endpoint: Endpoint, load: Load) -> list[str]:
    """The flags that give the same endpoint and load again."""
    values = {**vars(endpoint), **vars(load), "shape": load.shape.text}
    words: list[str] = []
    for name, value in values.items():
        flag = _FLAGS.get(name, f"--{name.replace('_', '-')}")
        each = value if isinstance(value, tuple) else (value,)
        words += [flag if one is True else f"{flag}={one}" for one in each if one is not None and one is not False]
    return words


def _values(options: argparse.Namespace, kind: Any, defaults: Mapping[str, Any]) -> dict[str, Any]:
    given = {field.name: getattr(options, _OPTIONS.get(field.name, field.name), None) for field in fields(kind)}
    # Flags hold texts and numbers only: Locust's master sends them to its workers.
    given |= {name: Path(str(given[name])) for name in _FILES if given.get(name)}
    return {
        name: defaults[name] if value is None and name in defaults else value
        for name, value in given.items()
        if value is not None or name in defaults or name in ("images",)
    }


def positive(text: str) -> float:
    """A finite number over 0."""
    value = float(text)
    if not 0 < value < float("inf"):
        raise argparse.ArgumentTypeError(f"{text} is not a number over 0")
    return value


def not_negative(text: str) -> float:
    """A finite number, 0 or over."""
    return 0.0 if float(text) == 0 else positive(text)


def count(text: str) -> int:
    """A whole number, 0 or over."""
    return int(not_negative(str(int(text))))


def at_least_one(text: str) -> int:
    """A whole number, 1 or over."""
    return int(positive(str(int(text))))


def _shape(text: str) -> str:
    shape_from(text)
    return text
