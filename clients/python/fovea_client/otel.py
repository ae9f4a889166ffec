"""OpenTelemetry: a span for every call, and its context sent along. The extra `fovea-client[otel]`.

client = Client("triton:8001", observers=[Tracing()])

A Triton started with `--trace-config mode=opentelemetry` reads the `traceparent` header and goes on with the trace.
"""

from opentelemetry import propagate, trace
from opentelemetry.trace import SpanKind, Status, StatusCode, TracerProvider

from fovea_client.requests import Headers

_SERVICE = "inference.GRPCInferenceService"


class Tracing:
    """Makes a client's calls spans of kind CLIENT, children of the span that is current where the call is made.

    A span is named after the method and the model ("segment vessels"). Its attributes are `rpc.system`, `rpc.service`
    and `fovea.model`; every retry is an event `retry` with the status that caused it.

    Args:
        tracer_provider: where spans go; None for the process's own.
    """

    def __init__(self, tracer_provider: TracerProvider | None = None) -> None:
        self._tracer = trace.get_tracer("fovea_client", tracer_provider=tracer_provider)

    def started(self, operation: str, model: str | None) -> "TracedCall":
        """See `fovea_client.observing.Observer`."""
        attributes = {"rpc.system": "grpc", "rpc.service": _SERVICE} | ({"fovea.model": model} if model else {})
        name = f"{operation} {model}" if model else operation
        return TracedCall(self._tracer.start_span(name, kind=SpanKind.CLIENT, attributes=attributes))


class TracedCall:
    """One call's span."""

    def __init__(self, span: trace.Span) -> None:
        self._span = span

    def headers(self) -> Headers:
        """`traceparent`, and what else the process's propagators write."""
        carrier: dict[str, str] = {}
        propagate.inject(carrier, context=trace.set_span_in_context(self._span))
        return tuple((name.lower(), value) for name, value in carrier.items())

    def retried(self, error: Exception) -> None:
        """Write an event."""
        self._span.add_event("retry", {"rpc.status": str(getattr(error, "status", None))})

    def ended(self, error: BaseException | None) -> None:
        """End the span."""
        if error is not None:
            self._span.record_exception(error)
            self._span.set_status(Status(StatusCode.ERROR, type(error).__name__))
        self._span.end()
