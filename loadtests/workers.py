"""Generators that share a load: who sends which part, from when on, and how their rows come together.

Locust's master and workers connect, and notice who is lost. When every worker has its images and connections, the
master tells each its share and one moment for all to begin; machines of different clocks begin as far apart as their
clocks are. Rows travel whole, so that quantiles over all workers are exact and not means of quantiles.
"""

import time
from pathlib import Path
from typing import Any

import gevent
import numpy as np
from locust.env import Environment

from loadtests.outcome_file import write_generator_file
from loadtests.recorder import ROW, Recorder, RowBuffer
from loadtests.sending import Sending, Share

READY, BEGIN, ROWS, DONE = "fovea_ready", "fovea_begin", "fovea_rows", "fovea_done"
# From the order to begin until all begin: the order must have reached everyone.
START_DELAY_S = 0.3
_WATCH_PERIOD_S = 0.2


class Alone:
    """The only generator: the whole load, rows to the files below `out`."""

    def __init__(self, out: Path) -> None:
        self._out = out
        self.rows = self._recorder = Recorder(out)

    def prepared(self, sending: Sending) -> None:
        """Begin at once."""
        sending.begin(Share(0, 1, time.time()))

    def flush(self) -> None:
        """Write the rows that wait."""
        self._recorder.flush()

    def done(self, cpu_ratio: float | None) -> None:
        """Write what is left, and how it went."""
        self._recorder.close()
        write_generator_file(self._out, cpu_ratio, ())


class Worker:
    """One of several: its share comes from the master, its rows go there."""

    def __init__(self, environment: Environment) -> None:
        self._runner = environment.runner
        self.rows = RowBuffer()
        self._sending: Sending | None = None
        self._runner.register_message(BEGIN, self._begin)

    def prepared(self, sending: Sending) -> None:
        """Tell the master."""
        self._sending = sending
        self._runner.send_message(READY, {})

    def flush(self) -> None:
        """Send the rows that wait."""
        rows, errors = self.rows.take()
        if rows or errors:
            self._runner.send_message(ROWS, {"rows": rows, "errors": errors})

    def done(self, cpu_ratio: float | None) -> None:
        """Send what is left, and how it went."""
        self.flush()
        self._runner.send_message(DONE, {"cpu_ratio": cpu_ratio})

    def _begin(self, msg: Any, **_: Any) -> None:
        if self._sending is not None:
            self._sending.begin(Share(msg.data["first"], msg.data["of"], msg.data["start_s"]))


class Master:
    """Where the rows of all workers come together; ends the run when every worker is done or lost."""

    def __init__(self, environment: Environment, out: Path, count: int) -> None:
        self._runner = environment.runner
        self._out = out
        self._count = count
        self._recorder = Recorder(out)
        self._ready: dict[str, list[str]] = {}
        self._done: dict[str, float | None] = {}
        for name, listener in ((READY, self._on_ready), (ROWS, self._on_rows), (DONE, self._on_done)):
            self._runner.register_message(name, listener)
        self._watch = gevent.spawn(self._watch_workers)

    def close(self) -> None:
        """Write what has come, and how it went; workers that are not done by now are lost."""
        self._watch.kill(block=False)
        self._recorder.close()
        missing = self._count - len(self._done)
        faults = (f"{missing} of {self._count} load generators did not finish their share.",) if missing else ()
        ratios = [ratio for ratio in self._done.values() if ratio is not None]
        write_generator_file(self._out, max(ratios, default=None), faults)

    def _on_ready(self, msg: Any, **_: Any) -> None:
        self._ready[msg.node_id] = []
        if len(self._ready) == self._count:
            start_s = time.time() + START_DELAY_S
            for first, worker in enumerate(self._ready):
                self._runner.send_message(BEGIN, {"first": first, "of": self._count, "start_s": start_s}, worker)

    def _on_rows(self, msg: Any, **_: Any) -> None:
        errors = self._ready[msg.node_id]
        errors += msg.data["errors"]
        self._recorder.extend(np.frombuffer(msg.data["rows"], ROW), errors)

    def _on_done(self, msg: Any, **_: Any) -> None:
        self._done[msg.node_id] = msg.data["cpu_ratio"]

    def _watch_workers(self) -> None:
        while not self._ended():
            gevent.sleep(_WATCH_PERIOD_S)
            self._recorder.flush()
        self._runner.quit()

    def _ended(self) -> bool:
        if len(self._ready) < self._count:
            return False
        present = {client.id for client in self._runner.clients.all if client.state != "missing"}
        return all(worker in self._done or worker not in present for worker in self._ready)
