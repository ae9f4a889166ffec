"""One time budget for what a caller sees as one call, however many requests it takes."""

import math
import time

from fovea_client.errors import DeadlineExceededError, InvalidRequestError


class Deadline:
    """A point in time, `timeout_s` seconds from now; `subject` is what the error says was waited for."""

    def __init__(self, timeout_s: float, subject: str) -> None:
        self._timeout_s = positive_s(timeout_s)
        self._subject = subject
        self._end_s = time.monotonic() + self._timeout_s

    def remaining_s(self) -> float:
        """Seconds left, above 0; raises DeadlineExceededError when there are none."""
        remaining_s = self._end_s - time.monotonic()
        if remaining_s <= 0:
            message = f"{self._subject}: no answer within {self._timeout_s:g} s; {DeadlineExceededError.advice}"
            raise DeadlineExceededError(message)
        return remaining_s


def positive_s(timeout_s: float) -> float:
    """`timeout_s` itself; raises InvalidRequestError unless it is a positive, finite number of seconds."""
    if not (math.isfinite(timeout_s) and timeout_s > 0):
        raise InvalidRequestError(f"timeout_s is {timeout_s!r}: give a positive, finite number of seconds")
    return timeout_s
