"""One time budget for what a caller sees as one call, however many requests it takes."""

import time
from typing import NoReturn

from fovea_client.errors import InvalidRequestError, from_status

# Three years; far beyond it gRPC's clock overflows and a call ends as it begins.
MOST_S = 1e8


class Deadline:
    """A point in time, `timeout_s` seconds from now; `address` and `model` are what its error names."""

    __slots__ = ("_address", "_end_s", "_model", "_timeout_s")

    def __init__(self, timeout_s: float, *, address: str, model: str | None = None) -> None:
        self._timeout_s = positive_s(timeout_s)
        self._end_s = time.monotonic() + self._timeout_s
        self._address = address
        self._model = model

    def remaining_s(self) -> float:
        """Seconds left, above 0; raises DeadlineExceededError when there are none."""
        remaining_s = self._end_s - time.monotonic()
        if remaining_s <= 0:
            self.expire()
        return remaining_s

    def expire(self) -> NoReturn:
        """Raise DeadlineExceededError."""
        reason = f"no answer within {self._timeout_s:g} s"
        raise from_status("DEADLINE_EXCEEDED", reason, address=self._address, model=self._model)

    def left_s(self) -> float:
        """Seconds left, 0 or below when there are none."""
        return self._end_s - time.monotonic()

    def at_most_s(self, seconds: float) -> float:
        """`seconds`, or what is left if that is less; never below 0."""
        return max(0.0, min(seconds, self.left_s()))


def positive_s(timeout_s: float) -> float:
    """`timeout_s` itself; raises InvalidRequestError unless it is above 0 and at most `MOST_S`."""
    if not 0 < timeout_s <= MOST_S:
        raise InvalidRequestError(f"timeout_s is {timeout_s!r}: give a number of seconds above 0, at most {MOST_S:.0f}")
    return timeout_s
