"""Prometheus: how many calls, how long, how they ended. The extra `fovea-client[prometheus]`.

client = Client("triton:8001", observers=[Metrics()])
"""

import time

from prometheus_client import REGISTRY, CollectorRegistry, Counter, Gauge, Histogram

from fovea_client.requests import Headers

_BUCKETS_S = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)


class Metrics:
    """The metrics of one or many clients; make one for each registry and share it.

    `fovea_client_call_seconds{operation, model, outcome}` is a histogram of whole calls, retries and pauses included;
    `outcome` is "ok" or the error's class. `fovea_client_retries_total{operation, model, status}` counts retries,
    `fovea_client_calls_in_progress{operation, model}` the calls under way.

    Args:
        registry: where they are kept; the process's own unless said otherwise.
    """

    def __init__(self, registry: CollectorRegistry = REGISTRY) -> None:
        call = ("operation", "model")
        self.seconds = Histogram(
            "fovea_client_call_seconds",
            "Seconds of a call, retries and pauses included",
            (*call, "outcome"),
            buckets=_BUCKETS_S,
            registry=registry,
        )
        self.retries = Counter("fovea_client_retries", "Requests sent again", (*call, "status"), registry=registry)
        self.in_progress = Gauge("fovea_client_calls_in_progress", "Calls under way", call, registry=registry)

    def started(self, operation: str, model: str | None) -> "MeasuredCall":
        """See `fovea_client.observing.Observer`."""
        return MeasuredCall(self, (operation, model or ""))


class MeasuredCall:
    """One call on its way into the metrics."""

    def __init__(self, metrics: Metrics, call: tuple[str, str]) -> None:
        self._metrics = metrics
        self._call = call
        self._started_s = time.perf_counter()
        metrics.in_progress.labels(*call).inc()

    def headers(self) -> Headers:
        """None."""
        return ()

    def retried(self, error: Exception) -> None:
        """Count it."""
        self._metrics.retries.labels(*self._call, str(getattr(error, "status", None))).inc()

    def ended(self, error: BaseException | None) -> None:
        """Note its seconds and its end."""
        self._metrics.in_progress.labels(*self._call).dec()
        outcome = "ok" if error is None else type(error).__name__
        self._metrics.seconds.labels(*self._call, outcome).observe(time.perf_counter() - self._started_s)
