"""What proves who calls and who answers. Nothing here shows in a repr, a log line or an error."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import grpc

from fovea_client.errors import InvalidCredentialsError
from fovea_client.requests import Headers

_HEADER = re.compile(r"[a-z0-9_.-]+")
# What HTTP/2 takes in a header that is no binary one, without white space at its ends.
_VALUE = re.compile(r"[!-~]([ -~]*[!-~])?")
_RESTRICTED_PREFIX = "triton-grpc-protocol-"


@dataclass(frozen=True, slots=True)
class Tls:
    """How the connection is encrypted; each part is a PEM file or its bytes.

    Attributes:
        root_certificates: who may have signed the server's certificate; None for gRPC's own list of authorities.
        certificate_chain: the client's certificate, where the server asks for one (mutual TLS).
        private_key: the key of that certificate.
        server_name: the name in the server's certificate, where it is not the one that is dialled.
    """

    root_certificates: Path | bytes | None = field(default=None, repr=False)
    certificate_chain: Path | bytes | None = field(default=None, repr=False)
    private_key: Path | bytes | None = field(default=None, repr=False)
    server_name: str | None = None

    def channel_credentials(self) -> grpc.ChannelCredentials:
        """What gRPC makes of it.

        Raises:
            InvalidCredentialsError: a file cannot be read, is no PEM, or a certificate comes without its key.
        """
        if (self.certificate_chain is None) != (self.private_key is None):
            raise InvalidCredentialsError("tls: give certificate_chain and private_key together, or neither")
        names = ("root_certificates", "private_key", "certificate_chain")
        roots, key, chain = (_read_pem(name, getattr(self, name)) for name in names)
        return grpc.ssl_channel_credentials(roots, key, chain)


@dataclass(frozen=True, slots=True)
class Credentials:
    """What is sent with every call to prove who calls.

    Attributes:
        token: a bearer token, or a function that returns the one that is good now; it is called for every request and
            must not wait: an event loop may be calling.
        restricted: the key and value of each of Triton's `--grpc-restricted-protocol`, sent as the header
            `triton-grpc-protocol-<key>`.
        allow_plain_text: send them without TLS to another machine too. Everyone on the way can read them then.
    """

    token: str | Callable[[], str] | None = field(default=None, repr=False)
    restricted: Mapping[str, str] = field(default_factory=dict, repr=False)
    allow_plain_text: bool = False

    def __post_init__(self) -> None:
        for name, value in self._fixed():
            _check_header(name, value)

    def headers(self) -> Headers:
        """The headers of one call.

        Raises:
            InvalidCredentialsError: the token's function returned what no header can hold.
        """
        if not callable(self.token):
            return self._fixed()
        return (*self._fixed(), _bearer(self.token()))

    @property
    def empty(self) -> bool:
        """Whether there is nothing to send."""
        return self.token is None and not self.restricted

    @property
    def changes(self) -> bool:
        """Whether `headers` must be asked for every call."""
        return callable(self.token)

    def _fixed(self) -> tuple[tuple[str, str], ...]:
        restricted = tuple((_RESTRICTED_PREFIX + key.lower(), value) for key, value in self.restricted.items())
        return (*restricted, _bearer(self.token)) if isinstance(self.token, str) else restricted


def _bearer(token: str) -> tuple[str, str]:
    header = ("authorization", f"Bearer {token}")
    _check_header(*header)
    return header


def _check_header(name: str, value: str) -> None:
    # gRPC's own error would repeat the value.
    if not _HEADER.fullmatch(name) or not isinstance(value, str) or not _VALUE.fullmatch(value):
        raise InvalidCredentialsError(
            f"the header {name!r} cannot be sent: its name takes a-z, 0-9, '_', '.' and '-', its value printable ASCII "
            "in one line and not empty (a trailing line break of a file is to be removed)"
        )


def _read_pem(name: str, source: Path | bytes | None) -> bytes | None:
    if source is None:
        return None
    if isinstance(source, bytes):
        return _checked_pem(name, source)
    try:
        return _checked_pem(name, source.read_bytes())
    except OSError as error:
        raise InvalidCredentialsError(f"tls: {name} {source} cannot be read ({error.strerror})") from error


def _checked_pem(name: str, data: bytes) -> bytes:
    if b"-----BEGIN " not in data:
        raise InvalidCredentialsError(f"tls: {name} is no PEM: it holds no line that starts with '-----BEGIN'")
    return data
