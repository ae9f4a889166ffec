"""What a serving process tells Prometheus of its pictures and predictions, at a cost that no caller notices.

A counter of Triton's is a message between two processes, so a request only adds to numbers in memory, and a thread
hands on what has grown every few seconds. The embedded Triton knows counters and gauges alone; a histogram is therefore
the counters that Prometheus' own are made of: `<name>_bucket{le}`, cumulative, `<name>_sum` and `<name>_count`.
"""

import bisect
import logging
import math
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from functools import cache
from typing import Protocol

from tasks.errors import Rejection
from tasks.spec import Kind, TaskSpec
from tasks.statistics import INPUT_STATISTICS, prediction_names

INPUT, PREDICTION = "fovea_input_", "fovea_prediction_"
PREDICTED, REJECTED = "fovea_predicted_total", "fovea_rejected_total"
REQUEST, SECONDS = "fovea_", "request_seconds"

_SIZES_PX = (64.0, 128.0, 256.0, 512.0, 768.0, 1024.0, 1536.0, 2048.0, 3072.0, 4096.0, 8192.0)
_SHARPNESS = (-1.0, 0.0, 0.5, 1.0, 1.25, 1.5, 1.75, 2.0, 2.25, 2.5, 2.75, 3.0, 3.5, 4.0)
_SHARES = (0.01, 0.02, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99)
_SECONDS = (0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.5, 0.7, 1.0, 1.5, 2.5, 5.0, 10.0)
_BOUNDS = {"width_px": _SIZES_PX, "height_px": _SIZES_PX, "sharpness": _SHARPNESS, SECONDS: _SECONDS}

_LOG = logging.getLogger(__name__)
_FLUSH_S = 5.0
# Looking at a picture takes about half a millisecond: so many a second and process say enough of all of them.
_PICTURES_PER_S = 2.0
_LONGEST_S = 3600.0  # the steps can be called by themselves, with any times

Key = tuple[str, tuple[tuple[str, str], ...]]  # a counter's name and its labels


class Counter(Protocol):
    """Triton's `pb_utils.Metric` of a counter."""

    def increment(self, value: float) -> None:
        """Add to it."""


class Family(Protocol):
    """Triton's `pb_utils.MetricFamily`."""

    def Metric(self, labels: dict[str, str]) -> Counter:  # noqa: N802 - Triton's name
        """Return the counter of these labels."""


class Telemetry:
    """The counters of one model's process.

    Args:
        task: value of the label `task`.
        family: makes a family of counters from a name and a description; None publishes nothing.
        flush_s: how often the counters are handed on.
        pictures_per_s: of how many pictures a second `look` says yes.
    """

    def __init__(
        self,
        task: TaskSpec,
        family: Callable[[str, str], Family] | None,
        *,
        flush_s: float = _FLUSH_S,
        pictures_per_s: float = _PICTURES_PER_S,
    ) -> None:
        self._task, self._family = task, family
        self._families: dict[str, Family] = {}
        self._counters: dict[Key, Counter] = {}
        self._grown: dict[Key, float] = {}
        self._lock, self._flushing = threading.Lock(), threading.Lock()
        self._flush_s, self._pause_s, self._next_s = flush_s, 1 / pictures_per_s, 0.0
        self._ended, self._failed = threading.Event(), False
        self._thread = threading.Thread(target=self._run, name="telemetry", daemon=True)

    def start(self) -> None:
        """Publish what was declared as 0, so that Prometheus sees the first growth, and begin to hand on."""
        if self._family is not None:
            self.flush()
            self._thread.start()

    def stop(self) -> None:
        """End the thread and hand on what is left."""
        self._ended.set()
        if self._thread.is_alive():
            self._thread.join()
        self.flush()

    def declare(self, name: str, label: str | None = None, values: Iterable[str] = ()) -> None:
        """Promise a counter, or one for each value of a label."""
        for labels in [{label: value} for value in values] if label else [{}]:
            self._add(name, labels, 0.0)

    def declare_histograms(self, prefix: str, statistics: Iterable[str]) -> None:
        """Promise the histogram of each statistic."""
        for name in statistics:
            self.declare(f"{prefix}{name}_bucket", "le", _labels(bounds(name)))
            self.declare(f"{prefix}{name}_sum")
            self.declare(f"{prefix}{name}_count")

    def look(self) -> bool:
        """Return whether this picture is one of those to be looked at."""
        now_s = time.monotonic()
        if self._family is None or now_s < self._next_s:
            return False
        self._next_s = now_s + self._pause_s
        return True

    def count(self, name: str, **labels: str) -> None:
        """Add one."""
        self._add(name, labels, 1.0)

    def observe(self, prefix: str, statistics: Mapping[str, float]) -> None:
        """Put each value into the histogram of its name; one that is no number would spoil its sum and is dropped."""
        for name, value in statistics.items():
            if not math.isfinite(value):
                continue
            limits = bounds(name)
            for label in _labels(limits)[bisect.bisect_left(limits, value) :]:
                self._add(f"{prefix}{name}_bucket", {"le": label}, 1.0)
            # A counter cannot fall: the sharpness of a blank picture counts as 0 here, and truly in its bucket.
            self._add(f"{prefix}{name}_sum", {}, max(value, 0.0))
            self._add(f"{prefix}{name}_count", {}, 1.0)

    def took(self, seconds: float) -> None:
        """Put a request's time in the server into its histogram; one that no clock of this machine gives is dropped."""
        if 0 <= seconds < _LONGEST_S:
            self.observe(REQUEST, {SECONDS: seconds})

    def flush(self) -> None:
        """Hand on what has grown."""
        with self._flushing:
            with self._lock:
                grown, self._grown = self._grown, {}
            for key, by in grown.items():
                self._hand_on(key, by)

    def _hand_on(self, key: Key, by: float) -> None:
        """Log only the first failure: the next ones come every few seconds, and figures are not worth a server."""
        try:
            self._counter(key).increment(by)
        except Exception:  # noqa: BLE001
            if not self._failed:
                _LOG.exception("the counter %s could not be handed on", key[0])
            self._failed = True

    def _run(self) -> None:
        while not self._ended.wait(self._flush_s):
            self.flush()

    def _add(self, name: str, labels: Mapping[str, str], by: float) -> None:
        if self._family is not None:
            key = name, (("task", self._task.name), *labels.items())
            with self._lock:
                self._grown[key] = self._grown.get(key, 0.0) + by

    def _counter(self, key: Key) -> Counter:
        name, labels = key
        if self._family is not None and key not in self._counters:
            if name not in self._families:
                self._families[name] = self._family(name, _describe(name))
            self._counters[key] = self._families[name].Metric(labels=dict(labels))
        return self._counters[key]


def for_inputs(task: TaskSpec, family: Callable[[str, str], Family] | None, **timing: float) -> Telemetry:
    """Return what a preprocessing model publishes, every counter declared."""
    telemetry = Telemetry(task, family, **timing)
    telemetry.declare_histograms(INPUT, INPUT_STATISTICS)
    telemetry.declare(REJECTED, "reason", Rejection)
    return telemetry


def for_predictions(task: TaskSpec, family: Callable[[str, str], Family] | None, **timing: float) -> Telemetry:
    """Return what a postprocessing model publishes, every counter declared."""
    telemetry = Telemetry(task, family, **timing)
    telemetry.declare_histograms(PREDICTION, prediction_names(task))
    telemetry.declare_histograms(REQUEST, [SECONDS])
    telemetry.declare(REJECTED, "reason", [Rejection.MALFORMED])
    if task.kind is Kind.CLASSIFICATION:
        telemetry.declare(PREDICTED, "class", [info.name for info in task.classes])
    return telemetry


def bounds(statistic: str) -> tuple[float, ...]:
    """Return the upper bounds of a statistic's buckets; infinity is one more."""
    return _BOUNDS.get(statistic, _SHARES)


@cache
def _labels(limits: tuple[float, ...]) -> tuple[str, ...]:
    return (*(f"{limit:g}" for limit in limits), "+Inf")


def _describe(name: str) -> str:
    if name == REJECTED:
        return "Pictures refused, by reason"
    if name == PREDICTED:
        return "Pictures by the class they were given"
    if SECONDS in name:
        return "Time in the server, from the start of preprocessing to the end of postprocessing"
    of, prefix = ("pictures", INPUT) if name.startswith(INPUT) else ("predictions", PREDICTION)
    statistic, _, part = name.removeprefix(prefix).rpartition("_")
    return f"Of {of} that were looked at, {statistic}: {part} of a histogram"
