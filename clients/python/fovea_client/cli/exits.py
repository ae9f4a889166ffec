"""What the exit status tells a script; `fovea_client.cli` says it in words."""

from enum import IntEnum

from fovea_client.errors import (
    AccessDeniedError,
    DeadlineExceededError,
    FoveaError,
    InvalidCredentialsError,
    InvalidUrlError,
    OutputError,
    ServerUnavailableError,
)


class Exit(IntEnum):
    """Exit statuses of the command."""

    DONE = 0
    FAILED = 1
    USAGE = 2
    UNREACHABLE = 3
    DENIED = 4
    INTERRUPTED = 130
    TERMINATED = 143


_BY_ERROR: tuple[tuple[type[FoveaError], Exit], ...] = (
    (OutputError, Exit.USAGE),
    (InvalidUrlError, Exit.USAGE),
    (InvalidCredentialsError, Exit.USAGE),
    (ServerUnavailableError, Exit.UNREACHABLE),
    (DeadlineExceededError, Exit.UNREACHABLE),
    (AccessDeniedError, Exit.DENIED),
)


def exit_for(error: FoveaError) -> Exit:
    """The status of a command that this error ended."""
    return next((status for kind, status in _BY_ERROR if isinstance(error, kind)), Exit.FAILED)
