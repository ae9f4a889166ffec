"""The errors of `tasks`: each message says what was wrong with which input and what to do about it."""

from enum import StrEnum


class Rejection(StrEnum):
    """Why an input was refused, for counting: a closed set, as every value is a time series."""

    EMPTY = "empty"
    TOO_MANY_BYTES = "too_many_bytes"
    NOT_AN_IMAGE = "not_an_image"
    TOO_SMALL = "too_small"
    TOO_LARGE = "too_large"
    UNDEFINED_RANGE = "undefined_range"
    DAMAGED = "damaged"
    MALFORMED = "malformed"  # tensors that no picture leads to


class TaskError(Exception):
    """Root of every error that `tasks` raises on purpose.

    Attributes:
        reason: what kind of input it was.
    """

    def __init__(self, message: str, reason: Rejection = Rejection.MALFORMED) -> None:
        super().__init__(message)
        self.reason = reason


class UnknownTaskError(TaskError):
    """A task name that is not in `TASKS`."""


class ImageError(TaskError):
    """An image that cannot be used: empty, not an image, damaged, too small or too large."""


class ShapeError(TaskError):
    """Arrays whose shape or dtype does not fit the function they were given to."""


class ChecksumError(TaskError):
    """A folder whose files are not the ones its SHA256SUMS lists."""
