"""A run's figures to a Prometheus Pushgateway, so that runs become a trend beside the server's own metrics.

A run ends and so cannot be scraped, which is what the gateway is for. Its newest run replaces the former one of the
same task there; the verdict never depends on whether the push worked.
"""

from collections.abc import Mapping
from http.client import HTTPException
from urllib.parse import urlsplit

from prometheus_client import CollectorRegistry, Gauge, push_to_gateway

from loadtests.outcome import Outcome
from loadtests.result import RunResult
from loadtests.slo import quantile_of

JOB = "fovea_loadtest"
PUSH_TIMEOUT_S = 3.0


def push(result: RunResult, gateway: str) -> str | None:
    """Send the figures to the gateway at `gateway`, an http(s) URL; returns what went wrong in a sentence, or None."""
    host = _host(gateway)
    if not host:
        return "The figures were not pushed: --push-gateway must be like http://host:9091."
    grouping = {"task": result.settings.endpoint.task}
    if result.settings.profile:
        grouping["profile"] = result.settings.profile
    try:
        push_to_gateway(gateway, JOB, figures(result), grouping_key=grouping, timeout=PUSH_TIMEOUT_S)
    # urllib's errors, timeouts and refusals of the gateway are OSErrors; a URL that it cannot use is a ValueError.
    except (OSError, ValueError, HTTPException) as error:
        return f"The figures were not pushed to {host}: {_without_address(error)}."
    return None


def _host(gateway: str) -> str:
    try:
        address = urlsplit(gateway)
        return (address.hostname or "") if address.scheme in ("http", "https") else ""
    except ValueError:
        return ""


def _without_address(error: Exception) -> str:
    """The address may hold a password; what urllib refuses, it repeats."""
    return str(error) if isinstance(error, OSError) else type(error).__name__


def figures(result: RunResult) -> CollectorRegistry:
    """The gauges of a run: times in seconds, rates in requests per second, ratios 0 to 1, as Prometheus wants them."""
    registry = CollectorRegistry()
    measured = result.measured
    _by(registry, "latency_seconds", "Latency from the intended send time", "quantile", _seconds(measured.latency_ms))
    _by(registry, "generator_lag_seconds", "How late the generator was", "quantile", _seconds(measured.lag_ms))
    counts = {"measured": measured.measured, "failed": measured.errors, "planned": measured.planned}
    _by(registry, "requests", "Requests after the warm-up", "kind", counts)
    rates = {"due": measured.offered_rps, "achieved": measured.achieved_rps}
    _by(registry, "rate_rps", "Requests due and rightly answered per second", "kind", rates)
    results = result.verdict.results
    known = {each.name: each.measured for each in results if each.measured is not None}
    _by(registry, "objective_measured", "In the unit of the objective's name", "objective", known)
    _by(
        registry, "objective_limit", "In the unit of its name", "objective", {each.name: each.limit for each in results}
    )
    _by(registry, "objective_met", "1 if met", "objective", {each.name: int(each.met) for each in results})
    verdict = {each.value: int(each is result.verdict.outcome) for each in Outcome}
    _by(registry, "verdict", "1 at the run's verdict", "verdict", verdict)
    return registry


def _by(registry: CollectorRegistry, name: str, what: str, label: str, values: Mapping[str, float]) -> None:
    gauge = Gauge(f"{JOB}_{name}", what, [label], registry=registry)
    for key, value in values.items():
        gauge.labels(key).set(value)


def _seconds(times_ms: Mapping[str, float]) -> dict[str, float]:
    """By Prometheus's quantile label: "0.99" for p99, "1" for the slowest."""
    labels = {name: 1.0 if name == "max" else quantile_of(name) for name in times_ms}
    return {f"{labels[name]:g}": value / 1000 for name, value in times_ms.items()}
