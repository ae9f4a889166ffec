"""One tree for everything that can go wrong between a caller and an endpoint.

FoveaError
├── InvalidUrlError             the server's address cannot be used
├── InvalidCredentialsError     a certificate, key, token or header cannot be used
├── AccessDeniedError           the server refuses this caller (UNAUTHENTICATED, PERMISSION_DENIED)
├── InvalidRequestError         the request was refused, here or by the server (INVALID_ARGUMENT)
│   └── InvalidImageError       … because of the image in it
├── ModelNotFoundError          the server has no such model (NOT_FOUND)
├── DeadlineExceededError       no answer in time (DEADLINE_EXCEEDED)
├── ServerUnavailableError      nobody answers, or not yet (UNAVAILABLE): worth another try later
├── ServerError                 the server failed, or answered against its own contract (every other status)
└── OutputError                 results cannot be written where they were asked for
"""

from typing import ClassVar


class FoveaError(Exception):
    """Base of the tree.

    Attributes:
        model: the model that was asked for, or None.
        server_message: the server's own words, or None.
        status: name of the gRPC status that the call ended with, such as "UNAVAILABLE", or None.
    """

    advice: ClassVar[str] = ""

    def __init__(
        self, message: str, *, model: str | None = None, server_message: str | None = None, status: str | None = None
    ) -> None:
        super().__init__(message)
        self.model = model
        self.server_message = server_message
        self.status = status


class InvalidUrlError(FoveaError):
    """The address is not `host:port`, a list of them, `dns:///name:port`, or one of these behind `grpc(s)://`."""


class InvalidCredentialsError(FoveaError):
    """A certificate, key, token or header cannot be used as it was given; the message never holds it."""


class AccessDeniedError(FoveaError):
    """The server answers, but not to this caller."""

    advice = "check the token, the restricted-protocol header or the client's certificate"


class InvalidRequestError(FoveaError):
    """The request was refused; sending it again unchanged cannot help."""

    advice = "check names, shapes and data types against the model's config.pbtxt"


class InvalidImageError(InvalidRequestError):
    """The image was refused, before sending or by the server."""


class ModelNotFoundError(FoveaError):
    """The server has no model of that name."""

    advice = "`fovea models` lists what it has"


class DeadlineExceededError(FoveaError):
    """No answer came within `timeout_s`; the request may still have been computed."""

    advice = "allow more time with timeout_s, or look at the server's load"


class ServerUnavailableError(FoveaError):
    """Nobody answers at the address, or the server or model is not ready yet."""

    advice = "check that the server runs and is ready, and that the port is its gRPC port (usually 8001, not 8000)"


class ServerError(FoveaError):
    """The server failed, or its answer does not follow the contract."""

    advice = "the server's log says more"


class OutputError(FoveaError):
    """Results cannot be written where they were asked for."""


_BY_STATUS: dict[str, type[FoveaError]] = {
    "INVALID_ARGUMENT": InvalidRequestError,
    "NOT_FOUND": ModelNotFoundError,
    "DEADLINE_EXCEEDED": DeadlineExceededError,
    "UNAVAILABLE": ServerUnavailableError,
    "UNAUTHENTICATED": AccessDeniedError,
    "PERMISSION_DENIED": AccessDeniedError,
}


def from_status(status: str, server_message: str, *, address: str, model: str | None = None) -> FoveaError:
    """The error, not raised, for a gRPC status.

    Args:
        status: name of the gRPC status code, such as "NOT_FOUND".
        server_message: the text that came with the status.
        address: `host:port` that was called.
        model: the model that was asked for, None for a call about the server.
    """
    kind = _error_type(status, server_message)
    subject = f"model {model!r} at {address}" if model else f"server {address}"
    message = f"{subject}: {server_message or 'no message'} ({status}); {kind.advice}"
    return kind(message, model=model, server_message=server_message, status=status)


def _error_type(status: str, server_message: str) -> type[FoveaError]:
    # Triton words these cases reliably but changes their status between calls and versions: a model that exists
    # without a loaded version is loading or draining, which passes; an unknown one stays unknown. A missing header
    # of a restricted protocol comes as UNAVAILABLE.
    text = server_message.lower()
    if "protocol is restricted" in text:
        return AccessDeniedError
    if "has no available versions" in text:
        return ServerUnavailableError
    if "request for unknown model" in text:
        return ModelNotFoundError
    return _BY_STATUS.get(status, ServerError)
