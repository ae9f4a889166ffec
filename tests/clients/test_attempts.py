"""When a request is sent again, decided without a network and without waiting: the steps themselves are looked at."""

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import pytest
from fovea_client import FoveaError, InvalidRequestError, Retry
from fovea_client.attempts import Attempts
from fovea_client.deadline import Deadline
from fovea_client.errors import DeadlineExceededError, from_status
from fovea_client.requests import ConfigRequest, IndexRequest, InferRequest, Request
from fovea_client.steps import AwaitAny, Pause, Send, Start, Step, Steps
from grpc import StatusCode

RETRIED = ("UNAVAILABLE", "RESOURCE_EXHAUSTED")
REQUEST = InferRequest("vessels", {})


def failure(status: str, message: str = "oh") -> FoveaError:
    return from_status(status, message, address="a:1", model="vessels")


def play(steps: Steps[Any], answer: Callable[[Step], Any]) -> tuple[Any, list[Step]]:
    """Run the steps with what `answer` returns or raises; the result or the error, and every step."""
    seen: list[Step] = []
    step = next(steps)
    try:
        while True:
            seen.append(step)
            try:
                outcome = answer(step)
            except FoveaError as error:
                step = steps.throw(error)
            else:
                step = steps.send(outcome)
    except StopIteration as end:
        return end.value, seen
    except FoveaError as error:
        return error, seen


def failing(error: FoveaError, times: int | None = None) -> Callable[[Step], Any]:
    """Answers "fine" after so many failures, or never."""
    left = [times]

    def answer(step: Step) -> Any:
        if not isinstance(step, Send):
            return None
        if left[0] == 0:
            return "fine"
        left[0] = None if left[0] is None else left[0] - 1
        raise error

    return answer


def sent(attempts: Attempts, error: FoveaError, times: int | None = None, timeout_s: float = 10.0) -> tuple[Any, int]:
    """What came of one request, and how often it was sent."""
    result, steps = play(attempts.send(REQUEST, Deadline(timeout_s, address="a:1")), failing(error, times))
    return result, sum(isinstance(step, Send) for step in steps)


@pytest.mark.parametrize("status", [code.name for code in StatusCode if code is not StatusCode.OK])
def test_only_what_the_server_has_not_begun_is_sent_again(status: str) -> None:
    error = failure(status)
    result, count = sent(Attempts(Retry(attempts=3), None), error)
    assert result is error
    assert count == (3 if status in RETRIED else 1)


def test_a_model_whose_versions_are_gone_is_asked_for_again() -> None:
    """So a Triton answers while it stops."""
    error = failure("NOT_FOUND", "Request for unknown model: 'vessels' has no available versions")
    assert sent(Attempts(Retry(attempts=3), None), error)[1] == 3


@pytest.mark.parametrize(
    ("status", "message"),
    [
        ("UNAVAILABLE", "Request for unknown model: 'vessels' is not found"),
        ("UNAVAILABLE", "This protocol is restricted, expecting header 'triton-grpc-protocol-key'"),
        ("RESOURCE_EXHAUSTED", "SERVER: Received message larger than max (9 vs. 4)"),
    ],
)
def test_what_another_attempt_cannot_change_is_not_sent_again(status: str, message: str) -> None:
    assert sent(Attempts(Retry(), None), failure(status, message))[1] == 1


def test_an_answer_ends_the_attempts() -> None:
    assert sent(Attempts(Retry(attempts=4), None), failure("UNAVAILABLE"), times=2) == ("fine", 3)
    assert sent(Attempts(Retry.none(), None), failure("UNAVAILABLE"), times=2)[1] == 1


def test_pauses_grow_to_a_limit_and_are_drawn_from_all_of_it() -> None:
    retry = Retry(initial_s=0.1, maximum_s=0.5, multiplier=2.0)
    for retries, longest_s in enumerate([0.1, 0.2, 0.4, 0.5, 0.5]):
        drawn = [retry.pause_s(retries) for _ in range(500)]
        assert 0 <= min(drawn) < 0.1 * longest_s
        assert 0.9 * longest_s < max(drawn) <= longest_s
    assert Retry(initial_s=0.1, jitter=0).pause_s(2) == pytest.approx(0.4)


def test_every_attempt_has_what_is_left_of_the_time() -> None:
    _, steps = play(Attempts(Retry(), None).send(REQUEST, Deadline(5, address="a:1")), failing(failure("UNAVAILABLE")))
    left_s = [step.timeout_s for step in steps if isinstance(step, Send)]
    assert all(0 < later <= earlier <= 5 for earlier, later in pairwise(left_s))


def test_a_pause_beyond_the_deadline_is_not_begun() -> None:
    retry = Retry(initial_s=20, maximum_s=20, jitter=0)
    error = failure("UNAVAILABLE")
    result, steps = play(Attempts(retry, None).send(REQUEST, Deadline(10, address="a:1")), failing(error))
    assert result is error
    assert [type(step) for step in steps] == [Send]


def test_a_server_that_is_down_gets_no_more_than_the_saved_retries() -> None:
    attempts = Attempts(Retry(attempts=4, budget=0.5, burst=10), None)
    assert sum(sent(attempts, failure("UNAVAILABLE"))[1] for _ in range(200)) == 200 + 10


def test_successes_earn_retries_at_the_budgets_rate() -> None:
    attempts = Attempts(Retry(attempts=4, budget=0.25, burst=8), None)
    counts = [sent(attempts, failure("UNAVAILABLE"), times=1)[1] for _ in range(8)]
    assert counts == [2] * 8
    for _ in range(400):
        sent(attempts, failure("UNAVAILABLE"), times=0)
    # 400 successes earn 100, of which 8 can be saved.
    assert sum(sent(attempts, failure("UNAVAILABLE"))[1] for _ in range(50)) == 50 + 8


@pytest.mark.parametrize("budget", [0.1, 0.5])
def test_retries_are_bounded_whatever_fails(budget: float) -> None:
    retry = Retry(attempts=10, budget=budget, burst=5)
    attempts = Attempts(retry, None)
    results = [sent(attempts, failure("UNAVAILABLE"), times=index % 4) for index in range(1000)]
    successes = sum(result == "fine" for result, _ in results)
    retries = sum(count - 1 for _, count in results)
    assert 0 < retries <= retry.burst + budget * successes


@pytest.mark.parametrize(
    "wrong",
    [{"attempts": 0}, {"initial_s": 0}, {"maximum_s": 0.01}, {"multiplier": 0.5}, {"jitter": 2}, {"budget": -1}],
)
def test_a_retry_that_makes_no_sense_is_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(InvalidRequestError, match=next(iter(wrong))):
        Retry(**wrong)


class Copy:
    """One copy of a request under way."""

    def __init__(self) -> None:
        self.outcome: Any = None
        self.cancelled = False

    def result(self) -> Any:
        if isinstance(self.outcome, FoveaError):
            raise self.outcome
        return self.outcome

    def cancel(self) -> None:
        self.cancelled = self.outcome is None

    def done(self) -> bool:
        return self.outcome is not None


def hedge(
    outcomes: list[list[Any]],
    retry: Retry = Retry(attempts=1),  # noqa: B008
    request: Request = REQUEST,
) -> tuple[Any, list[Copy], list[Step]]:
    """Play a hedged request; at the nth wait, copy i takes outcomes[n][i] where that is not None."""
    copies: list[Copy] = []
    waits = iter(outcomes)

    def answer(step: Step) -> Any:
        if isinstance(step, Start):
            copies.append(Copy())
            return copies[-1]
        if isinstance(step, AwaitAny):
            for copy, outcome in zip(copies, next(waits), strict=False):
                copy.outcome = copy.outcome or outcome
        return None

    result, steps = play(Attempts(retry, 0.2).send(request, Deadline(10, address="a:1")), answer)
    return result, copies, steps


def test_a_fast_answer_needs_no_copy() -> None:
    result, copies, steps = hedge([["fast"], []])
    assert (result, len(copies)) == ("fast", 1)
    assert next(step.timeout_s for step in steps if isinstance(step, AwaitAny)) == 0.2


@pytest.mark.parametrize("winner", [0, 1])
def test_the_first_answer_counts_and_the_other_copy_is_cancelled(winner: int) -> None:
    result, copies, _ = hedge([[None], ["first", None] if winner == 0 else [None, "second"]])
    assert result == ("first", "second")[winner]
    assert [copy.cancelled for copy in copies] == [winner == 1, winner == 0]


def test_a_copy_that_finds_nobody_leaves_the_word_to_the_other() -> None:
    result, copies, _ = hedge([[None], [None, failure("UNAVAILABLE")], ["late"]])
    assert (result, len(copies)) == ("late", 2)


def test_a_refusal_is_the_answer() -> None:
    error = failure("INVALID_ARGUMENT")
    result, copies, _ = hedge([[None], [None, error]])
    assert result is error
    assert copies[0].cancelled


def test_when_both_copies_fail_the_call_is_retried() -> None:
    away = failure("UNAVAILABLE")
    result, copies, steps = hedge([[None], [away, None], [None, away], [None, None, "again"], []], Retry(attempts=2))
    assert (result, len(copies)) == ("again", 3)
    assert any(isinstance(step, Pause) and step.retry_of is away for step in steps)


def test_a_copy_costs_of_the_budget() -> None:
    result, copies, _ = hedge([[None], ["slow"]], Retry(attempts=1, burst=0))
    assert (result, len(copies)) == ("slow", 1)


@pytest.mark.parametrize(
    "request_", [ConfigRequest("vessels"), IndexRequest()], ids=lambda request: type(request).__name__
)
def test_what_comes_before_inference_is_hedged_too(request_: Request) -> None:
    """Else a client's first call, which asks what the task is, waits on a silent server with nobody else asked."""
    result, copies, _ = hedge([[None], [None, "second"]], request=request_)
    assert (result, len(copies)) == ("second", 2)


def test_a_deadline_that_passes_between_steps_is_one() -> None:
    deadline = Deadline(0.01, address="a:1", model="vessels")
    while deadline.left_s() > 0:
        pass
    with pytest.raises(DeadlineExceededError, match=r"no answer within 0\.01 s"):
        next(Attempts(Retry(), None).send(REQUEST, deadline))
    assert deadline.at_most_s(1) == 0
