"""What Triton's metrics say of its queue. Prometheus' text format, of which only plain samples are read."""

import re
import urllib.request
from collections import defaultdict
from dataclasses import dataclass

TIMEOUT_S = 1.0
_SAMPLE = re.compile(r"^(?P<name>\w+)(?:\{(?P<labels>.*)\})?\s+(?P<value>\S+)", re.MULTILINE)
_MODEL = re.compile(r'\bmodel="([^"]*)"')
_MAX_BYTES = 1 << 22


@dataclass(frozen=True)
class QueueCounts:
    """Requests that wait now, in all models; microseconds waited so far, in all models; answers so far of the task."""

    pending: float
    queue_us: float
    answered: float


def read_queue(metrics_url: str, task: str) -> QueueCounts | None:
    """The counts now; None when the server does not answer within TIMEOUT_S or has no such metrics."""
    # A proxy of the environment must not stand between us and the server.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(metrics_url, timeout=TIMEOUT_S) as answer:
            text = answer.read(_MAX_BYTES).decode("utf-8", errors="replace")
        return parse_queue(text, task)
    except (OSError, ValueError):
        return None


def parse_queue(text: str, task: str) -> QueueCounts | None:
    """The counts in the text of Triton's metrics; None when one of them is not in it. Raises ValueError."""
    sums: defaultdict[str, float] = defaultdict(float)
    for sample in _SAMPLE.finditer(text):
        name, value = sample["name"], float(sample["value"])
        sums[name] += value
        model = _MODEL.search(sample["labels"] or "")
        if model and model[1] == task:
            sums[f"{name} of the task"] += value
    try:
        return QueueCounts(
            sums.get("nv_inference_pending_request_count", 0.0),
            dict(sums)["nv_inference_queue_duration_us"],
            dict(sums)["nv_inference_request_success of the task"],
        )
    except KeyError:
        return None
