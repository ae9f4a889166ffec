"""Where the servers are: turns what a person types into what gRPC dials."""

import re
from dataclasses import dataclass

from fovea_client.errors import InvalidUrlError

_SCHEME = re.compile(r"^(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*)://(?P<rest>.*)$")
_HOST_PORT = re.compile(r"(?P<host>[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.%]+\]):(?P<port>[0-9]{1,5})")
_FORM = "write for example localhost:8001 (Triton's gRPC port unless changed)"


@dataclass(frozen=True, slots=True)
class Address:
    """One server, or several that answer alike.

    Attributes:
        text: the address without white space and without `grpc://`; what errors call the server.
        endpoints: host and port of each server named; one name may stand for many servers, see `looked_up`.
        encrypted: whether it asks for TLS (`grpcs://`).
        looked_up: whether it asks for every address behind one name (`dns:///`).
    """

    text: str
    endpoints: tuple[tuple[str, int], ...]
    encrypted: bool = False
    looked_up: bool = False

    @classmethod
    def parse(cls, url: str) -> "Address":
        """Read `host:port`, several of them with commas, `dns:///name:port`, each plain or behind `grpc(s)://`.

        An IPv6 host is written in brackets.

        Raises:
            InvalidUrlError: another scheme, a path, or no port from 1 to 65535.
        """
        scheme, rest = _split_scheme(url.strip())
        encrypted, looked_up = scheme == "grpcs", scheme == "dns"
        if rest.lower().startswith("dns:///"):
            looked_up, rest = True, rest[len("dns:///") :]
        rest = rest.removesuffix("/")
        endpoints = tuple(_endpoint(part.strip(), url) for part in rest.split(","))
        if looked_up and len(endpoints) > 1:
            raise InvalidUrlError(f"url {url!r}: dns:/// takes one name; write a list of host:port without it")
        text = ("grpcs://" if encrypted else "") + ("dns:///" if looked_up else "")
        return cls(text + ",".join(f"{host}:{port}" for host, port in endpoints), endpoints, encrypted, looked_up)

    @property
    def loopback(self) -> bool:
        """Whether every endpoint is this machine."""
        return not self.looked_up and all(_is_loopback(host) for host, _ in self.endpoints)


def parse_address(url: str) -> str:
    """The address in its shortest form, as `Address.parse` reads it: `host:port` from `grpc://host:port`.

    Raises:
        InvalidUrlError: another scheme, a path, or no port from 1 to 65535.
    """
    return Address.parse(url).text


def is_loopback(address: str) -> bool:
    """Whether the address that `parse_address` returned names this machine."""
    return Address.parse(address).loopback


def _is_loopback(host: str) -> bool:
    bare = host.strip("[]")
    return bare in ("localhost", "::1") or bare.startswith("127.")


def _split_scheme(url: str) -> tuple[str, str]:
    match = _SCHEME.match(url)
    if match is None:
        return "grpc", url
    scheme = match["scheme"].lower()
    if scheme == "dns":
        return scheme, url[len("dns://") :].removeprefix("/")
    if scheme not in ("grpc", "grpcs"):
        raise InvalidUrlError(
            f"url {url!r}: this client speaks plain gRPC, not {match['scheme']}, or gRPC over TLS as grpcs://; "
            "write host:port or grpc://host:port with the server's gRPC port (8001 unless changed, not 8000)"
        )
    return scheme, match["rest"]


def _endpoint(text: str, url: str) -> tuple[str, int]:
    match = _HOST_PORT.fullmatch(text)
    if match is None or not 0 < int(match["port"]) < 65536:
        raise InvalidUrlError(f"url {url!r} is not host:port; {_FORM}")
    return match["host"], int(match["port"])
