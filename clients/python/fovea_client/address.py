"""Where the server is: turns what a person types into what gRPC dials."""

import re

from fovea_client.errors import InvalidUrlError

_SCHEME = re.compile(r"^(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*)://(?P<rest>.*)$")
_ADDRESS = re.compile(r"^(?P<host>[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.%]+\]):(?P<port>[0-9]{1,5})$")


def parse_address(url: str) -> str:
    """`host:port` from `host:port` or `grpc://host:port`; an IPv6 host is written in brackets.

    Raises:
        InvalidUrlError: another scheme, a path, or no port from 1 to 65535.
    """
    address = _without_scheme(url.strip()).removesuffix("/")
    match = _ADDRESS.match(address)
    if match is None or not 0 < int(match["port"]) < 65536:
        raise InvalidUrlError(
            f"url {url!r} is not host:port; write for example localhost:8001 (Triton's gRPC port unless changed)"
        )
    return address


def _without_scheme(url: str) -> str:
    match = _SCHEME.match(url)
    if match is None:
        return url
    if match["scheme"].lower() != "grpc":
        raise InvalidUrlError(
            f"url {url!r}: this client speaks plain gRPC, not {match['scheme']}; "
            "write host:port or grpc://host:port with the server's gRPC port (8001 unless changed, not 8000)"
        )
    return match["rest"]


def is_loopback(address: str) -> bool:
    """Whether the address that `parse_address` returned names this machine."""
    host = address.rpartition(":")[0].strip("[]")
    return host in ("localhost", "::1") or host.startswith("127.")
