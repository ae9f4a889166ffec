"""The run as JSON, for programs: trends, dashboards, comparisons of two runs."""

import json
from typing import Any

from loadtests.histogram import Histogram
from loadtests.measurements import QUANTILE_METHOD, quantiles_ms
from loadtests.recorder import Recording
from loadtests.result import RunResult
from loadtests.where_time_went import rest_ms


def summary_text(result: RunResult) -> str:
    """The JSON document. Latencies in milliseconds, rates in requests per second, times in seconds."""
    return json.dumps(_document(result), indent=2, allow_nan=False) + "\n"


def _document(result: RunResult) -> dict[str, Any]:
    measured = result.measured
    return {
        "verdict": result.verdict.outcome,
        "exit_code": result.verdict.outcome.exit_code,
        "invalid_reasons": list(result.verdict.invalid_reasons),
        "objectives": [{**vars(objective), "met": objective.met} for objective in result.verdict.results],
        "latency_ms": dict(measured.latency_ms),
        "distribution_ms": _distribution_ms(result),
        "generator_lag_ms": dict(measured.lag_ms),
        "generator_cpu_ratio": measured.generator_cpu_ratio,
        "quantile_method": QUANTILE_METHOD,
        "counts": {name: getattr(measured, name) for name in ("planned", "measured", "errors", "warm_up")},
        "rates_rps": _rates_rps(result),
        "correctness": _correctness(result),
        "server": _server(result),
        "errors_by_message": dict(measured.errors_by_message),
        "remarks": list(result.remarks()),
        "run": _run(result),
    }


def histograms_text(result: RunResult) -> str:
    """The latencies of warm-up and measured time as histograms in JSON; those of several runs merge exactly."""
    document = {
        "task": result.settings.endpoint.task,
        "profile": result.settings.profile or None,
        "started_at": result.started_at,
        "phases": {"warm_up": _histogram(result.driven.warm_up), "measured": _histogram(result.driven.measured)},
    }
    return json.dumps(document, allow_nan=False) + "\n"


def _histogram(recording: Recording) -> dict[str, Any]:
    histogram = Histogram()
    histogram.record(recording.latency_ns)
    return histogram.to_json()


def _distribution_ms(result: RunResult) -> list[float]:
    """The latency at 0, 1, 2 … 100 percent of the measured requests, for whoever draws a curve; or nothing."""
    percents = {str(percent): percent / 100 for percent in range(101)}
    return list(quantiles_ms(result.driven.measured.latency_ns, percents).values())


def _rates_rps(result: RunResult) -> dict[str, float]:
    measured = result.measured
    return {"asked": result.settings.load.rate_rps, "due": measured.offered_rps, "achieved": measured.achieved_rps}


def _correctness(result: RunResult) -> dict[str, Any]:
    measured = result.measured
    return {
        "compared": measured.compared,
        "compared_with": result.compared_with,
        "agreement_limit": result.slo.correctness.agreement,
        "correct_ratio": measured.correct_ratio,
        "least_agreement": measured.least_agreement,
    }


def _server(result: RunResult) -> dict[str, Any] | None:
    """Means in microseconds, as Triton counts them; what the client saw beyond, in milliseconds."""
    server = result.driven.server
    if server is None:
        return None
    return {
        "task": vars(server.task),
        "models": {name: vars(phases) for name, phases in server.models.items()},
        "client_mean_ms": result.measured.right_mean_ms,
        "network_and_client_ms": rest_ms(result),
    }


def _run(result: RunResult) -> dict[str, Any]:
    settings, load = result.settings, result.settings.load
    return {
        "started_at": result.started_at,
        "images_count": result.images_count,
        "url": settings.endpoint.url,
        "task": settings.endpoint.task,
        "profile": settings.profile or None,
        "timeout_s": settings.endpoint.timeout_s,
        "connections": settings.endpoint.connections,
        "processes": settings.workers.local,
        "rate_rps": load.rate_rps,
        "duration_s": load.duration_s,
        "warm_up_s": load.warm_up_s,
        "arrivals": load.arrivals,
        "shape": load.shape.text,
        "trace": str(load.trace) if load.trace else None,
        "closed_loop_users": load.users,
        "seed": load.seed,
    }
