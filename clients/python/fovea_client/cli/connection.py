"""The client that a command talks through: address, deadline, TLS and secrets, from options, files and the environment.

A secret is never an option's value: other users of a machine can read command lines.
"""

import argparse
from collections.abc import Mapping
from pathlib import Path

from fovea_client.client import Client
from fovea_client.credentials import Credentials, Tls
from fovea_client.errors import InvalidCredentialsError
from fovea_client.retry import Retry


def connect(arguments: argparse.Namespace) -> Client:
    """A client as the command line and the environment say.

    Raises:
        InvalidUrlError: the address cannot be used.
        InvalidCredentialsError: a file of a secret or a certificate cannot be used.
    """
    return Client(
        arguments.url,
        timeout_s=arguments.timeout_s,
        retry=Retry(attempts=arguments.attempts),
        tls=_tls(arguments),
        credentials=_credentials(arguments, arguments.environment),
    )


def _tls(arguments: argparse.Namespace) -> Tls | None:
    if not any((arguments.ca, arguments.cert, arguments.key, arguments.server_name)):
        return None
    return Tls(arguments.ca, arguments.cert, arguments.key, arguments.server_name)


def _credentials(arguments: argparse.Namespace, environment: Mapping[str, str]) -> Credentials | None:
    token_file: Path | None = arguments.token_file
    token = environment.get("FOVEA_TOKEN", "").strip() or None
    # Read for every call: what mounts tokens replaces them before they end.
    chosen = (lambda: _read(token_file)) if token_file else token
    restricted = _restricted(_read(arguments.restricted_file)) if arguments.restricted_file else {}
    restricted = restricted or _restricted(environment.get("FOVEA_RESTRICTED", ""))
    if chosen is None and not restricted:
        return None
    if token_file is not None:
        _read(token_file)
    return Credentials(token=chosen, restricted=restricted, allow_plain_text=arguments.allow_plain_text)


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is no text"
        raise InvalidCredentialsError(f"{path}: cannot be read ({reason})") from error


def _restricted(text: str) -> dict[str, str]:
    pairs = [line.partition("=") for line in text.splitlines() if line.strip()]
    if any(not separator for _, separator, _ in pairs):
        raise InvalidCredentialsError("restricted protocols: write one KEY=VALUE a line, as the server was given them")
    return {key.strip(): value.strip() for key, _, value in pairs}
