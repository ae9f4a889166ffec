"""A look for drift as Prometheus metrics: a text file for the node exporter, or a page of this process's own."""

import math
from pathlib import Path

from prometheus_client import CollectorRegistry, Gauge, generate_latest, start_http_server

from monitoring.errors import OutputError, UsageError
from monitoring.judgement import KINDS
from monitoring.output import write_whole
from monitoring.result import Result

_TEST = ("task", "statistic", "method")


def registry(result: Result) -> CollectorRegistry:
    """Return the gauges of a result. No picture and no picture's name is among them."""
    found = CollectorRegistry()
    task = result.task.name
    for name, what, values in (
        ("score", "Distance of the window from the reference", {f: f.score for f in result.findings}),
        ("threshold", "Score above which it alarms", {f: f.threshold for f in result.findings}),
        ("p_value", "Before the correction for many tests", {f: f.p_value for f in result.findings}),
    ):
        gauge = Gauge(f"fovea_drift_{name}", what, _TEST, registry=found)
        for finding, value in values.items():
            gauge.labels(task, finding.statistic, finding.method).set(value)
    alarm = Gauge("fovea_drift_alarm", "1 where a test of the kind alarms", ["task", "kind"], registry=found)
    for kind in KINDS:
        alarm.labels(task, kind).set(bool(result.alarms_of(kind)))
    for name, what, number in (
        ("fovea_drift_window_images", "Pictures judged", result.images),
        ("fovea_drift_last_run_timestamp_seconds", "When they were judged", result.created.timestamp()),
        (
            "fovea_reference_created_timestamp_seconds",
            "When the reference was made",
            result.reference.created.timestamp(),
        ),
    ):
        Gauge(name, what, ["task"], registry=found).labels(task).set(math.floor(number))
    return found


def write_textfile(result: Result, path: Path) -> None:
    """Write the metrics for the node exporter's textfile collector, which reads files that end in .prom.

    Raises OutputError.
    """
    if path.suffix != ".prom":
        raise OutputError(f"{path} must end in .prom: the node exporter reads no other file.")
    write_whole(path, generate_latest(registry(result)))


def listen(result: Result, address: str) -> tuple[str, int]:
    """Serve the metrics in a thread until the process ends, and return host and port.

    Args:
        result: what is served.
        address: HOST:PORT; port 0 takes a free one.

    Raises:
        UsageError: no such address, or it is taken.
    """
    host, _, port = address.rpartition(":")
    try:
        server, _ = start_http_server(int(port), addr=host or "127.0.0.1", registry=registry(result))
    except (OSError, ValueError, OverflowError) as error:
        raise UsageError(f"--listen {address} cannot be served ({error}): give HOST:PORT that is free.") from None
    return str(server.server_address[0]), int(server.server_address[1])
