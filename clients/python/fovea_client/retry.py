"""When a call is sent again, how long it waits before, and how many calls may be."""

import random
import threading
from dataclasses import dataclass

from fovea_client.errors import FoveaError, InvalidRequestError, ServerUnavailableError


@dataclass(frozen=True, slots=True)
class Retry:
    """How a client repeats calls that end with UNAVAILABLE or RESOURCE_EXHAUSTED, always within the call's deadline.

    The pause before retry n (from 0) is drawn evenly from the part `jitter` of `initial_s * multiplier ** n`, at most
    `maximum_s`: with 1 between zero and all of it, so that clients that failed together do not return together.

    Attributes:
        attempts: how often one call may be sent, the first time included.
        initial_s: the longest first pause, in seconds.
        maximum_s: the longest pause.
        multiplier: by how much the longest pause grows with each retry.
        jitter: 0 for fixed pauses, 1 for full jitter.
        budget: how many retries each successful request of the client earns, 0 to 1.
        burst: how many retries the client has to begin with, and can save up. When they are spent, a failed call
            raises at once: a server that is down gets no more than `1 + budget` times its load.
    """

    attempts: int = 4
    initial_s: float = 0.05
    maximum_s: float = 1.0
    multiplier: float = 2.0
    jitter: float = 1.0
    budget: float = 0.5
    burst: int = 100

    def __post_init__(self) -> None:
        if self.attempts < 1 or self.burst < 0:
            raise InvalidRequestError(f"{self}: attempts is 1 or more, burst 0 or more")
        if not (0 < self.initial_s <= self.maximum_s and self.multiplier >= 1):
            raise InvalidRequestError(f"{self}: pauses are above 0, maximum_s the longest, multiplier 1 or more")
        if not (0 <= self.jitter <= 1 and 0 <= self.budget <= 1):
            raise InvalidRequestError(f"{self}: jitter and budget are from 0 to 1")

    @classmethod
    def none(cls) -> "Retry":
        """Every call is sent once."""
        return cls(attempts=1)

    def pause_s(self, retries: int) -> float:
        """Seconds to wait before the next retry of a call that has been retried `retries` times."""
        longest_s = min(self.maximum_s, self.initial_s * self.multiplier**retries)
        return random.uniform(longest_s * (1 - self.jitter), longest_s)  # noqa: S311 - spreads load, keeps no secret


class RetryBudget:
    """The retries that a client may still make: a bucket of tokens that successes fill. Threads may share it."""

    def __init__(self, retry: Retry) -> None:
        self._earned = retry.budget
        self._most = float(retry.burst)
        self._tokens = self._most
        self._lock = threading.Lock()

    def earn(self) -> None:
        """Add what one success earns."""
        # Full is the usual state; it needs no lock to be seen.
        if self._tokens < self._most:
            with self._lock:
                self._tokens = min(self._most, self._tokens + self._earned)

    def spend(self) -> bool:
        """Take one token; False when there is none."""
        with self._lock:
            if self._tokens < 1:
                return False
            self._tokens -= 1
            return True


def retryable(error: FoveaError) -> bool:
    """Whether sending the same request again is safe and may end otherwise.

    That is UNAVAILABLE and RESOURCE_EXHAUSTED: the server refused to begin, or the connection broke. A request that
    broke off may have been computed; asking twice costs time, not truth, as inference changes nothing. Triton's
    NOT_FOUND for a model whose versions are not loaded counts too: so a server answers that is stopping. A model that
    nobody knows and a caller who is refused come as UNAVAILABLE, but have errors of their own.
    """
    if isinstance(error, ServerUnavailableError):
        return True
    # gRPC has one status for a server that is full and for its own limit on messages, which stays.
    return error.status == "RESOURCE_EXHAUSTED" and "message larger than max" not in (error.server_message or "")
