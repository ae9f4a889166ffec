"""One request, sent as often as it takes and as is allowed: retries and hedging."""

from typing import Any

from fovea_client.deadline import Deadline, positive_s
from fovea_client.errors import FoveaError
from fovea_client.requests import Pending, Request
from fovea_client.retry import Retry, RetryBudget, retryable
from fovea_client.steps import AwaitAny, Pause, Send, Start, Steps

# gRPC ends a call by itself at its deadline; this much later it has.
_GRACE_S = 0.05


class Attempts:
    """How one client sends requests. Threads may share it.

    A hedge is a second copy of a request that takes long, sent while the first goes on; the first answer counts. It
    costs a token of the retry budget, as it is load that nobody asked for.
    """

    def __init__(self, retry: Retry, hedge_after_s: float | None) -> None:
        self._retry = retry
        self._budget = RetryBudget(retry)
        self._hedge_after_s = None if hedge_after_s is None else positive_s(hedge_after_s)

    @property
    def hedges(self) -> bool:
        """Whether a request may be sent a second time before the first has failed."""
        return self._hedge_after_s is not None

    def send(self, request: Request, deadline: Deadline) -> Steps[Any]:
        """The answer to the request; raises what its last attempt raised, or DeadlineExceededError."""
        try:
            answer = yield from self._attempt(request, deadline)
            return answer
        except FoveaError as error:
            failure = error
        answer = yield from self.again(request, deadline, failure)
        return answer

    def again(self, request: Request, deadline: Deadline, failure: FoveaError) -> Steps[Any]:
        """As `send` for a request whose first attempt has failed; raises `failure` if it must not be sent again."""
        retries = 0
        while (pause_s := self._pause_s(failure, retries, deadline)) is not None:
            retries += 1
            yield Pause(pause_s, retry_of=failure)
            try:
                answer = yield from self._attempt(request, deadline)
                return answer
            except FoveaError as error:
                failure = error
        raise failure

    def succeeded(self) -> None:
        """Count an answer: it earns a part of a retry."""
        self._budget.earn()

    def _attempt(self, request: Request, deadline: Deadline) -> Steps[Any]:
        if self._hedge_after_s is None:
            answer = yield Send(request, deadline.remaining_s())
        else:
            answer = yield from self._hedged(request, deadline, self._hedge_after_s)
        self.succeeded()
        return answer

    def _pause_s(self, error: FoveaError, retries: int, deadline: Deadline) -> float | None:
        """Seconds to wait before the next attempt; None when there is none to be."""
        if retries + 1 >= self._retry.attempts or not retryable(error):
            return None
        pause_s = self._retry.pause_s(retries)
        # To wait only to find the time over tells the caller less than the error does, and later.
        return pause_s if pause_s < deadline.left_s() and self._budget.spend() else None

    def _hedged(self, request: Request, deadline: Deadline, after_s: float) -> Steps[Any]:
        running: list[Pending] = [(yield Start(request, deadline.remaining_s()))]
        try:
            yield AwaitAny(tuple(running), deadline.at_most_s(after_s))
            if not running[0].done() and deadline.left_s() > 0 and self._budget.spend():
                running.append((yield Start(request, deadline.remaining_s())))
            answer = yield from self._first_answer(running, deadline)
            return answer
        finally:
            for pending in running:
                pending.cancel()

    def _first_answer(self, running: list[Pending], deadline: Deadline) -> Steps[Any]:
        while True:
            yield AwaitAny(tuple(running), deadline.at_most_s(deadline.left_s()) + _GRACE_S)
            done = [pending for pending in running if pending.done()]
            if not done:
                deadline.remaining_s()
            for pending in done:
                running.remove(pending)
                try:
                    return pending.result()
                except FoveaError as error:
                    if not running or not retryable(error):
                        raise
