"""The seam through which calls are watched. A client without observers runs none of this."""

from collections.abc import Sequence
from typing import Protocol, TypeVar

from fovea_client.requests import Headers
from fovea_client.steps import Pause, Send, Start, Steps

T = TypeVar("T")


class Observation(Protocol):
    """One call as one observer sees it."""

    def headers(self) -> Headers:
        """What is sent with each request of the call; lower-case names."""

    def retried(self, error: Exception) -> None:
        """A request failed and will be sent again."""

    def ended(self, error: BaseException | None) -> None:
        """The call is over, with its result or with an error."""


class Observer(Protocol):
    """Told of every call of a client; it must neither raise nor block. Threads share it."""

    def started(self, operation: str, model: str | None) -> Observation:
        """A call begins: the name of the client's method, and the model or None."""


def observed(steps: Steps[T], observations: Sequence[Observation]) -> Steps[T]:
    """The same steps, with the observers' headers added and their ears open."""
    headers = tuple(header for observation in observations for header in observation.headers())
    failure: BaseException | None = None
    try:
        result = yield from _listening(steps, headers, observations)
        return result
    except BaseException as error:
        failure = error
        raise
    finally:
        for observation in observations:
            observation.ended(failure)


def _listening(steps: Steps[T], headers: Headers, observations: Sequence[Observation]) -> Steps[T]:
    try:
        step = next(steps)
        while True:
            if isinstance(step, Send | Start):
                step.headers = headers
            elif isinstance(step, Pause) and step.retry_of is not None:
                for observation in observations:
                    observation.retried(step.retry_of)
            try:
                outcome = yield step
            except BaseException as error:  # noqa: BLE001 - the operation decides
                step = steps.throw(error)
            else:
                step = steps.send(outcome)
    except StopIteration as end:
        result: T = end.value
        return result
