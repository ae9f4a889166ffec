"""The command line's grammar; what each command does is in a module of its own."""

import argparse
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path

from fovea_client.address import parse_address
from fovea_client.cli.classify import classify
from fovea_client.cli.completion import SHELLS, completion
from fovea_client.cli.segment import segment
from fovea_client.cli.server import models, ready
from fovea_client.cli.watch import watch
from fovea_client.deadline import MOST_S, positive_s
from fovea_client.errors import FoveaError

_EPILOG = """exit status: 0 done, 1 some images failed or not ready, 2 wrong call, 3 server not reachable,
4 access refused, 130 interrupted, 143 terminated"""


def build_parser(environment: Mapping[str, str]) -> argparse.ArgumentParser:
    """The parser; its namespaces hold the chosen command as `command` and the environment as `environment`."""
    parser = argparse.ArgumentParser(
        prog="fovea", description="Ask a Fovea endpoint about images.", epilog=_EPILOG, allow_abbrev=False
    )
    parser.add_argument("--version", action="version", version=f"fovea-client {version('fovea-client')}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for add in (_add_segment, _add_classify, _add_ready, _add_models, _add_watch):
        command = add(commands)
        command.set_defaults(environment=environment)
        _add_connection(command, environment)
    complete = commands.add_parser("completion", help="print what makes a shell complete these commands")
    complete.add_argument("shell", choices=SHELLS)
    complete.set_defaults(command=completion, parser=parser)
    return parser


def _add_segment(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> argparse.ArgumentParser:
    command = commands.add_parser("segment", help="write the masks of image files")
    command.add_argument(
        "--out", required=True, type=Path, metavar="DIR", help="where masks and probabilities go; made if absent"
    )
    _add_images(command, "vessels")
    command.add_argument("--tiled", action="store_true", help="cut pictures into tiles, write GeoTIFFs; needs [geo]")
    command.add_argument("--tile-px", type=_count, metavar="PX", help="side of a tile (default: the network's)")
    command.add_argument("--overlap-px", type=int, metavar="PX", help="overlap of tiles (default: half a tile)")
    command.set_defaults(command=segment, usage_error=command.error)
    return command


def _add_classify(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> argparse.ArgumentParser:
    command = commands.add_parser("classify", help="print the class of image files and its probability")
    command.add_argument("--out", type=Path, metavar="FILE", help="keep the answers as JSON lines")
    _add_images(command, "eye_disease")
    command.set_defaults(command=classify)
    return command


def _add_ready(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> argparse.ArgumentParser:
    command = commands.add_parser("ready", help="exit 0 if the server is ready, 1 if not")
    command.add_argument("--wait-s", type=_seconds, metavar="S", help="wait so long for it, then exit 3")
    _add_json(command)
    command.set_defaults(command=ready)
    return command


def _add_models(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> argparse.ArgumentParser:
    command = commands.add_parser("models", help="list the server's models and their state")
    _add_json(command)
    command.set_defaults(command=models)
    return command


def _add_watch(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> argparse.ArgumentParser:
    command = commands.add_parser("watch", help="show readiness and latency until Ctrl-C")
    command.add_argument("models", nargs="*", metavar="MODEL", help="show these only")
    command.add_argument("--interval-s", type=_seconds, default=2.0, metavar="S", help="(default: %(default)s)")
    command.add_argument("--count", type=_count, metavar="N", help="stop after so many looks; exit 1 if not ready then")
    _add_json(command)
    command.set_defaults(command=watch)
    return command


def _add_images(command: argparse.ArgumentParser, task: str) -> None:
    command.add_argument(
        "images", nargs="+", type=_path, metavar="IMAGE", help="JPEG, PNG, TIFF or GIF file, or a directory of them"
    )
    command.add_argument("--task", default=task, help="default: %(default)s")
    command.add_argument("--in-flight", type=_count, default=4, metavar="N", help="at once (default: %(default)s)")
    command.add_argument("--resume", action="store_true", help="skip what an earlier run did and is whole")
    _add_json(command)


def _add_json(command: argparse.ArgumentParser) -> None:
    command.add_argument("--json", action="store_true", help="print JSON lines")


def _add_connection(command: argparse.ArgumentParser, environment: Mapping[str, str]) -> None:
    group = command.add_argument_group("connection")
    url = environment.get("FOVEA_URL")
    group.add_argument(
        "--url",
        required=not url,
        default=url,
        type=_url,
        metavar="HOST:PORT",
        help="the server's gRPC port, e.g. localhost:8001; grpcs:// for TLS; or FOVEA_URL",
    )
    group.add_argument(
        "--timeout-s", default=10.0, type=_seconds, metavar="S", help="seconds for one call (default: %(default)s)"
    )
    group.add_argument(
        "--attempts", default=4, type=_count, metavar="N", help="send a call so often at most (default: %(default)s)"
    )
    for option, variable, meaning in (
        ("--token-file", "FOVEA_TOKEN_FILE", "a bearer token; or the token itself in FOVEA_TOKEN"),
        ("--ca", "FOVEA_CA", "PEM: who may have signed the server's certificate"),
        ("--cert", "FOVEA_CERT", "PEM: this client's certificate"),
        ("--key", "FOVEA_KEY", "PEM: its private key"),
        ("--restricted-file", "FOVEA_RESTRICTED_FILE", "KEY=VALUE lines of Triton's restricted protocols"),
    ):
        path = environment.get(variable)
        group.add_argument(
            option, type=Path, default=Path(path) if path else None, metavar="FILE", help=f"{meaning} ({variable})"
        )
    group.add_argument("--server-name", metavar="NAME", help="the name in the server's certificate")
    group.add_argument("--allow-plain-text", action="store_true", help="send secrets without TLS to other machines too")


def _url(text: str) -> str:
    try:
        return parse_address(text)
    except FoveaError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def _path(text: str) -> Path:
    # An empty variable of a script; to pathlib it is the current directory.
    if not text:
        raise argparse.ArgumentTypeError("a name is empty")
    return Path(text)


def _seconds(text: str) -> float:
    try:
        return positive_s(float(text))
    except (FoveaError, ValueError) as error:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of seconds above 0, at most {MOST_S:.0f}") from error


def _count(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from 1")
    return int(text)
