"""Where the load goes, and the connections to there.

A secret is never a flag's value: other users of a machine can read command lines. A token comes in a file.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from fovea_client.aio_transport import AioTransport
from fovea_client.credentials import Credentials, Tls
from fovea_client.errors import InvalidCredentialsError
from fovea_client.transport import GrpcTransport

# A proxy in between would be measured along with the server.
_CHANNEL_ARGUMENTS = (("grpc.enable_http_proxy", 0),)


@dataclass(frozen=True)
class Endpoint:
    """A model of a running server.

    Attributes:
        url: the server's gRPC address, see `fovea_client.address`.
        task: the model to ask.
        timeout_s: patience with one request.
        connections: TCP connections of each generator process.
        token_file: a bearer token, read anew for every call.
        ca, cert, key: PEM files, as `fovea_client.credentials.Tls` has them.
        server_name: the name in the server's certificate.
        allow_plain_text: send the token without TLS to another machine too.
    """

    url: str
    task: str
    timeout_s: float = 10.0
    connections: int = 4
    token_file: Path | None = None
    ca: Path | None = None
    cert: Path | None = None
    key: Path | None = None
    server_name: str | None = None
    allow_plain_text: bool = False

    def connect(self) -> GrpcTransport:
        """A new connection. Raises what `GrpcTransport` raises."""
        return GrpcTransport(
            self.url, tls=self._tls(), credentials=self._credentials(), channel_args=_CHANNEL_ARGUMENTS
        )

    def connect_aio(self) -> AioTransport:
        """The same for the tasks of one event loop."""
        return AioTransport(self.url, tls=self._tls(), credentials=self._credentials(), channel_args=_CHANNEL_ARGUMENTS)

    def _tls(self) -> Tls | None:
        if not any((self.ca, self.cert, self.key, self.server_name)):
            return None
        return Tls(self.ca, self.cert, self.key, self.server_name)

    def _credentials(self) -> Credentials | None:
        if self.token_file is None:
            return None
        token = _reader(self.token_file)
        # A file that cannot be read is refused now and not in every request.
        token()
        return Credentials(token=token, allow_plain_text=self.allow_plain_text)


def _reader(path: Path) -> Callable[[], str]:
    def read() -> str:
        try:
            return path.read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            raise InvalidCredentialsError(f"{path}: cannot be read as a token") from error

    return read
