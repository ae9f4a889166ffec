"""Samples a server while it is under load, from the ticks of `drive`."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from loadtests.served import Served
from loadtests.soak.judgement import DESCRIPTORS, MEMORY, PENDING, QUEUE, Series, Watched
from loadtests.soak.metrics import QueueCounts, read_queue
from loadtests.soak.process import Holdings, holdings

US_PER_MS = 1000


@dataclass
class Watcher:
    """Call `tick` often; every `sample_s` it looks at the process and the metrics, where `served` names them."""

    served: Served
    task: str
    sample_s: float = 1.0
    clock_s: Callable[[], float] = time.monotonic
    look_at_process: Callable[[int], Holdings | None] = holdings
    look_at_queue: Callable[[str, str], QueueCounts | None] = read_queue
    lost: set[str] = field(default_factory=set)
    _started_s: float | None = None
    _sampled_s: float = float("-inf")
    _last_counts: QueueCounts | None = None
    _samples: dict[Watched, list[tuple[float, float]]] = field(default_factory=dict)

    def tick(self) -> None:
        """Take a sample if one is due."""
        now_s = self.clock_s()
        self._started_s = now_s if self._started_s is None else self._started_s
        if now_s - self._sampled_s < self.sample_s:
            return
        self._sampled_s = now_s
        self._sample_process(now_s - self._started_s)
        self._sample_queue(now_s - self._started_s)

    def series(self, since_s: float) -> list[Series]:
        """What was sampled from `since_s` after the first tick on: a series for each quantity that `served` promises,
        empty where nothing was seen of it.
        """
        of_process = () if self.served.pid is None else (MEMORY, DESCRIPTORS)
        of_queue = () if self.served.metrics_url is None else (PENDING, QUEUE)
        kept = {
            watched: np.array(
                [sample for sample in self._samples.get(watched, ()) if sample[0] >= since_s], dtype=np.float64
            ).reshape(-1, 2)
            for watched in (*of_process, *of_queue)
        }
        return [Series(watched, samples[:, 0], samples[:, 1]) for watched, samples in kept.items()]

    def _sample_process(self, at_s: float) -> None:
        if self.served.pid is None:
            return
        held = self.look_at_process(self.served.pid)
        if held is None:
            self.lost.add(f"process {self.served.pid} was gone, or not ours to look at, during the soak.")
            return
        self._note(MEMORY, at_s, held.memory_mib)
        self._note(DESCRIPTORS, at_s, held.descriptors)

    def _sample_queue(self, at_s: float) -> None:
        if self.served.metrics_url is None:
            return
        counts = self.look_at_queue(self.served.metrics_url, self.task)
        if counts is None:
            self.lost.add(f"{self.served.metrics_url} did not answer with Triton's metrics all the time.")
            return
        self._note(PENDING, at_s, counts.pending)
        last, self._last_counts = self._last_counts, counts
        if last is not None and counts.answered > last.answered:
            waited_us = counts.queue_us - last.queue_us
            self._note(QUEUE, at_s, waited_us / (counts.answered - last.answered) / US_PER_MS)

    def _note(self, watched: Watched, at_s: float, value: float) -> None:
        self._samples.setdefault(watched, []).append((at_s, value))
