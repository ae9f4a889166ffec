import time

import gevent
from gevent.event import Event
from load_rows import RequestRow

from loadtests.arrivals import NS_PER_S
from loadtests.open_loop import UNANSWERED, OpenLoop

DUE_NS = [round(index * 0.01 * NS_PER_S) for index in range(20)]


def test_a_stalled_server_does_not_hold_back_the_next_request() -> None:
    rows: list[RequestRow] = []

    def ask(index: int) -> None:
        gevent.sleep(0.3)

    OpenLoop(DUE_NS, ask, _into(rows)).run(Event(), patience_s=2)
    assert len(rows) == len(DUE_NS)
    assert max(row.sent_ns for row in rows) < 0.3 * NS_PER_S


def test_latency_counts_from_the_time_a_request_was_due() -> None:
    rows: list[RequestRow] = []

    def ask(index: int) -> None:
        if index == 0:
            # Without a switch to other greenlets: the generator itself is late with all the others.
            busy_until_ns = time.perf_counter_ns() + NS_PER_S // 5
            while time.perf_counter_ns() < busy_until_ns:
                pass

    OpenLoop(DUE_NS, ask, _into(rows)).run(Event(), patience_s=2)
    second = next(row for row in rows if row.index == 1)
    assert second.sent_ns - second.intended_ns > 0.15 * NS_PER_S
    assert second.finished_ns >= second.sent_ns


def test_requests_that_never_come_back_are_recorded_as_failed() -> None:
    rows: list[RequestRow] = []
    OpenLoop(DUE_NS, lambda index: gevent.sleep(60), _into(rows)).run(Event(), patience_s=0.1)
    assert [row.error for row in rows] == [UNANSWERED] * len(DUE_NS)


def test_a_request_whose_turn_comes_after_the_end_is_neither_sent_nor_recorded_twice() -> None:
    rows: list[RequestRow] = []
    asked: list[int] = []
    OpenLoop([0] * 20, asked.append, _into(rows)).run(Event(), patience_s=0)
    gevent.sleep(0.01)
    assert [row.error for row in rows] == [UNANSWERED] * 20
    assert asked == []


def test_a_stop_ends_the_schedule() -> None:
    rows: list[RequestRow] = []
    stop = Event()
    gevent.spawn_later(0.05, stop.set)
    OpenLoop([0, 10 * NS_PER_S], lambda index: None, _into(rows)).run(stop, patience_s=5)
    assert [row.index for row in rows] == [0]


def _into(rows: list[RequestRow]):
    return lambda index, times_ns, error: rows.append(RequestRow(index, *times_ns, error))
