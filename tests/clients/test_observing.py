"""Watching calls: what an observer is told, and the two that come with the package."""

import asyncio
import threading
from typing import Any

import numpy as np
import pytest
from fovea_client import AsyncClient, Client, InvalidImageError
from grpc import StatusCode


class Diary:
    """Writes down what it is told."""

    def __init__(self) -> None:
        self.lines: list[Any] = []

    def started(self, operation: str, model: str | None) -> "Diary":
        self.lines.append((operation, model))
        return self

    def headers(self) -> tuple[tuple[str, str], ...]:
        return (("x-diary", "1"),)

    def retried(self, error: Exception) -> None:
        self.lines.append(getattr(error, "status", None))

    def ended(self, error: BaseException | None) -> None:
        self.lines.append(None if error is None else type(error))


@pytest.fixture
def flaky(server):
    """Fails once, then answers."""
    server.faults["ModelInfer"] = (StatusCode.UNAVAILABLE, "Exceeds maximum queue size")
    server.failures_left["ModelInfer"] = 1
    return server


def test_an_observer_hears_of_every_call(flaky, picture: np.ndarray) -> None:
    diary = Diary()
    with Client(flaky.address, observers=[diary]) as client:
        client.segment(picture)
        with pytest.raises(InvalidImageError):
            client.segment(b"")
        client.ready()
    assert diary.lines == [
        ("segment", "vessels"),
        "UNAVAILABLE",
        None,
        ("segment", "vessels"),
        InvalidImageError,
        ("ready", None),
        None,
    ]
    assert {headers["x-diary"] for headers in flaky.headers} == {"1"}


def test_hedged_requests_carry_the_headers_too(server, picture: np.ndarray) -> None:
    with Client(server.address, observers=[Diary()], hedge_after_s=5) as client:
        client.segment(picture)
    assert all(headers["x-diary"] == "1" for headers in server.headers)


def test_a_cancelled_task_is_an_end(server, picture: np.ndarray) -> None:
    server.delays_s["ModelInfer"] = 30
    diary = Diary()

    async def main() -> None:
        async with AsyncClient(server.address, observers=[diary]) as client:
            task = asyncio.create_task(client.segment(picture))
            await asyncio.sleep(0.3)
            task.cancel()
            await asyncio.wait([task])

    asyncio.run(main())
    assert diary.lines == [("segment", "vessels"), asyncio.CancelledError]


def test_without_observers_no_header_is_added(server, client: Client) -> None:
    client.models()
    assert set(server.headers[0]) <= {"user-agent", "grpc-accept-encoding"}


def test_a_call_is_a_span_and_triton_gets_its_context(flaky, picture: np.ndarray) -> None:
    sdk = pytest.importorskip("opentelemetry.sdk.trace")
    from fovea_client.otel import Tracing
    from opentelemetry.sdk.trace.export import SimpleSpanProcessor
    from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

    kept, provider = InMemorySpanExporter(), sdk.TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(kept))
    with (
        Client(flaky.address, observers=[Tracing(provider)]) as client,
        provider.get_tracer("test").start_as_current_span("caller") as caller,
    ):
        client.segment(picture)
        with pytest.raises(InvalidImageError):
            client.segment(b"not an image")
    good, bad, _ = kept.get_finished_spans()
    assert good.name == "segment vessels"
    assert good.parent.span_id == caller.get_span_context().span_id
    assert [event.name for event in good.events] == ["retry"]
    assert (good.status.is_ok, bad.status.is_ok) == (True, False)
    context = good.get_span_context()
    assert (
        flaky.headers[0]["traceparent"]
        == f"00-{context.trace_id:032x}-{context.span_id:016x}-{context.trace_flags:02x}"
    )


def test_metrics_count_calls_by_their_end(flaky, picture: np.ndarray) -> None:
    prometheus = pytest.importorskip("prometheus_client")
    from fovea_client.prometheus import Metrics

    registry = prometheus.CollectorRegistry()
    metrics = Metrics(registry)
    flaky.delays_s["ModelInfer"] = 0.05
    with Client(flaky.address, observers=[metrics]) as client, Client(flaky.address, observers=[metrics]) as other:
        client.segment(picture)
        other.segment(picture)
        with pytest.raises(InvalidImageError):
            client.segment(b"not an image")
    call = {"operation": "segment", "model": "vessels"}
    count, seconds = "fovea_client_call_seconds_count", "fovea_client_call_seconds_sum"
    assert registry.get_sample_value(count, call | {"outcome": "ok"}) == 2
    assert registry.get_sample_value(seconds, call | {"outcome": "ok"}) >= 0.1
    assert registry.get_sample_value(count, call | {"outcome": "InvalidImageError"}) == 1
    assert registry.get_sample_value("fovea_client_retries_total", call | {"status": "UNAVAILABLE"}) == 1
    assert registry.get_sample_value("fovea_client_calls_in_progress", call) == 0


def test_calls_under_way_are_seen(server) -> None:
    prometheus = pytest.importorskip("prometheus_client")
    from fovea_client.prometheus import Metrics

    registry = prometheus.CollectorRegistry()
    server.delays_s["RepositoryIndex"] = 0.5
    with Client(server.address, observers=[Metrics(registry)]) as client:
        thread = threading.Thread(target=client.models)
        thread.start()
        while "RepositoryIndex" not in server.calls:
            pass
        assert registry.get_sample_value("fovea_client_calls_in_progress", {"operation": "models", "model": ""}) == 1
        thread.join()
