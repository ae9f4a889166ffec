"""Recording and alert rules for a Prometheus that scrapes servers itself.

The rules are the Helm chart's, which puts its own pods' names into their @WORDS@; here a scrape job takes that place.
Rules about Kubernetes come along and stay silent where its series are missing.
"""

import argparse
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from monitoring.errors import MonitoringError, OutputError, UsageError
from tasks import TASKS
from tasks.telemetry import SECONDS, bounds

HELP = "write recording and alert rules for a Prometheus without Kubernetes"
FOLDER = Path(__file__).parents[1] / "helm-chart" / "rules"
_WORD = re.compile(r"@([A-Z_]+)@")
# As in the chart's schema: beyond, the fastest burn that alerts would be over all requests.
_MOST_SLOW = 0.06


def words(job: str, tasks: Sequence[str], thresholds: argparse.Namespace) -> dict[str, str]:
    """Return what takes the place of each @WORD@ for a scrape job that serves the tasks."""
    series = f'job="{job}"'
    return {
        "SERIES": series,
        "RELEASE": f'release="{job}"',
        "DEPLOYMENTS": series,
        "AUTOSCALERS": series,
        "DRIFT": series,
        "DRIFT_MINUTES": "65",
        "TASKS": "|".join(tasks),
        "TASK_COUNT": str(len(tasks)),
        "NAME": job,
        "START_MINUTES": "10",
        "ERROR_RATIO": f"{thresholds.error_ratio:g}",
        "QUEUE_MILLISECONDS": f"{thresholds.queue_ms:g}",
        "PENDING_REQUESTS": f"{thresholds.pending_requests:g}",
        "LATENCY_SECONDS": f"{thresholds.latency_s:g}",
        "SLOW_RATIO": f"{thresholds.slow_ratio:g}",
        "REFERENCE_DAYS": str(thresholds.reference_days),
    }


def fill(name: str, given: Mapping[str, str], folder: Path = FOLDER) -> list[dict[str, Any]]:
    """Return the rules of one file, filled in.

    Raises:
        MonitoringError: the file is not there, or has a word that nothing was given for.
    """
    try:
        text = (folder / f"{name}.yaml").read_text()
    except OSError as error:
        raise MonitoringError(f"the rules {name} cannot be read ({error}); run this from a checkout") from error
    if missing := sorted(set(_WORD.findall(text)) - given.keys()):
        raise MonitoringError(f"{folder / name}.yaml has words that nothing is known for: {', '.join(missing)}")
    rules: list[dict[str, Any]] = yaml.safe_load(_WORD.sub(lambda found: given[found[1]], text))
    return rules


def document(given: Mapping[str, str]) -> dict[str, Any]:
    """Return the two groups as Prometheus reads them: what is recorded, and what alerts."""
    release = {"release": given["NAME"]}
    recording = [rule | {"labels": release} for rule in fill("recording", given)]
    alerts = [rule | {"labels": release | rule["labels"]} for rule in fill("alerts", given)]
    name = given["NAME"]
    return {
        "groups": [
            {"name": f"{name}.recording", "interval": "30s", "rules": recording},
            {"name": f"{name}.alerts", "rules": alerts},
        ]
    }


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what `run` reads."""
    parser.add_argument("--job", type=_job, default="fovea", help="the scrape job of the servers")
    parser.add_argument("--tasks", nargs="+", choices=TASKS, default=["vessels"], help="what every server serves")
    parser.add_argument("--latency-s", type=float, default=0.5, help="that a request should not exceed in the server")
    parser.add_argument("--slow-ratio", type=_slow_ratio, default=0.01, help="share of requests that may")
    parser.add_argument("--error-ratio", type=float, default=0.01, help="share of failed requests that alerts")
    parser.add_argument("--queue-ms", type=float, default=200.0, help="in queues, on average, that alert")
    parser.add_argument("--pending-requests", type=float, default=32.0, help="of a server, that alert")
    parser.add_argument("--reference-days", type=int, default=180, help="after which a reference is stale")
    parser.add_argument("--out", type=Path, default=Path("build/monitoring/rules.yaml"))


def run(options: argparse.Namespace) -> int:
    """Write the rules file and return 0.

    Raises:
        UsageError: the latency is no bound that the server counts by.
        OutputError: the file cannot be written.
    """
    _check_latency(options.latency_s)
    found = document(words(options.job, options.tasks, options))
    try:
        options.out.parent.mkdir(parents=True, exist_ok=True)
        options.out.write_text(yaml.safe_dump(found, sort_keys=False, width=120))
    except OSError as error:
        raise OutputError(f"{options.out} cannot be written ({error}); name another --out") from error
    return 0


def _job(text: str) -> str:
    if not re.fullmatch(r"[\w.-]+", text, re.ASCII):
        raise argparse.ArgumentTypeError(f"{text!r} is no job: use letters, digits, '_', '.' and '-'")
    return text


def _slow_ratio(text: str) -> float:
    if not 0 < (value := float(text)) <= _MOST_SLOW:
        raise argparse.ArgumentTypeError(f"{text} is not above 0 and at most {_MOST_SLOW:g}")
    return value


def _check_latency(latency_s: float) -> None:
    known = bounds(SECONDS)
    if latency_s not in known:
        offered = ", ".join(f"{each:g}" for each in known)
        raise UsageError(f"requests are not counted by {latency_s:g} s; choose --latency-s of {offered}")
