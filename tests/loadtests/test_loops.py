import asyncio
import time
from threading import Event, Timer

import numpy as np
import pytest
from load_rows import RequestRow

from loadtests.arrivals import NS_PER_S
from loadtests.loops import UNANSWERED, ClosedLoop, Loop, OpenLoop

DUE_NS = (np.arange(20) * 0.01 * NS_PER_S).astype(np.int64)


def _run(loop: Loop, stop: Event | None = None, patience_s: float = 2) -> None:
    asyncio.run(loop.run(stop or Event(), patience_s=patience_s))


def _into(rows: list[RequestRow]):
    return lambda index, times_ns, error: rows.append(RequestRow(index, *times_ns, error))


@pytest.fixture
def rows() -> list[RequestRow]:
    return []


async def _at_once(index: int) -> None:
    return None


def _right(index: int, answer: None) -> None:
    return None


def test_a_stalled_server_does_not_hold_back_the_next_request(rows) -> None:
    async def ask(index: int) -> None:
        await asyncio.sleep(0.3)

    _run(OpenLoop(DUE_NS, ask, _right, _into(rows)))
    assert len(rows) == len(DUE_NS)
    assert max(row.sent_ns for row in rows) < 0.3 * NS_PER_S


def test_a_stalled_server_holds_back_a_closed_loop(rows) -> None:
    async def ask(index: int) -> None:
        await asyncio.sleep(0.1)

    _run(ClosedLoop(2, round(0.35 * NS_PER_S), ask, _right, _into(rows)))
    assert 4 <= len(rows) <= 8
    assert sorted(row.index for row in rows) == list(range(len(rows)))
    assert all(row.sent_ns - row.intended_ns < 0.05 * NS_PER_S for row in rows)


def test_latency_counts_from_the_time_a_request_was_due(rows) -> None:
    async def ask(index: int) -> None:
        if index == 0:
            # Without a turn for other tasks: the generator itself is late with all the others.
            time.sleep(0.2)

    _run(OpenLoop(DUE_NS, ask, _right, _into(rows)))
    second = next(row for row in rows if row.index == 1)
    assert second.sent_ns - second.intended_ns > 0.15 * NS_PER_S
    assert second.finished_ns >= second.sent_ns


def test_judging_an_answer_costs_it_no_time(rows) -> None:
    def judge(index: int, answer: int) -> str:
        time.sleep(0.1)
        return f"{answer} is wrong"

    async def ask(index: int) -> int:
        return index

    _run(OpenLoop(DUE_NS[:2], ask, judge, _into(rows)))
    assert [row.error for row in rows] == ["0 is wrong", "1 is wrong"]
    assert max(row.finished_ns - row.sent_ns for row in rows) < 0.05 * NS_PER_S


def test_requests_that_never_come_back_are_recorded_as_failed(rows) -> None:
    async def ask(index: int) -> None:
        await asyncio.sleep(60)

    _run(OpenLoop(DUE_NS, ask, _right, _into(rows)), patience_s=0.1)
    assert [row.error for row in rows] == [UNANSWERED] * len(DUE_NS)


def test_a_stop_ends_the_schedule_and_the_wait_for_answers(rows) -> None:
    async def ask(index: int) -> None:
        await asyncio.sleep(60)

    stop = Event()
    Timer(0.05, stop.set).start()
    began_s = time.monotonic()
    _run(OpenLoop(np.array([0, 10 * NS_PER_S]), ask, _right, _into(rows)), stop, patience_s=5)
    assert [(row.index, row.error) for row in rows] == [(0, UNANSWERED)]
    assert time.monotonic() - began_s < 3


def test_a_stop_ends_a_closed_loop(rows) -> None:
    stop = Event()
    Timer(0.05, stop.set).start()
    began_s = time.monotonic()

    async def ask(index: int) -> None:
        await asyncio.sleep(0.01)

    _run(ClosedLoop(1, 60 * NS_PER_S, ask, _right, _into(rows)), stop)
    assert rows
    assert time.monotonic() - began_s < 3


def test_shares_make_up_the_whole_schedule(rows) -> None:
    for first in range(3):
        _run(OpenLoop(DUE_NS // 20, _at_once, _right, _into(rows), first=first, step=3))
    assert sorted((row.index, row.intended_ns) for row in rows) == list(enumerate((DUE_NS // 20).tolist()))


def test_a_schedule_that_is_late_lets_answers_in_between(rows) -> None:
    """Were everything overdue sent in one go, the first answers would look as slow as the last."""
    under_way = []

    async def ask(index: int) -> None:
        under_way.append(index - len(rows))
        await asyncio.sleep(0)

    _run(OpenLoop(np.zeros(2000, np.int64), ask, _right, _into(rows)))
    assert len(rows) == 2000
    assert max(under_way) < 50
