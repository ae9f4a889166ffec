"""`fovea watch`: whether the endpoint and its models are ready, and how long it takes to say so, again and again."""

import argparse
import statistics
import sys
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from fovea_client.cli.connection import connect
from fovea_client.cli.exits import Exit
from fovea_client.cli.terminal import say, say_json
from fovea_client.client import Client
from fovea_client.errors import FoveaError
from fovea_client.requests import ModelStatus

_REMEMBERED = 60
_HOME_AND_CLEAR = "\x1b[H\x1b[2J"


@dataclass(frozen=True, slots=True)
class Sample:
    """One look at an endpoint.

    Attributes:
        time: of the look, UTC.
        ready: whether it said that it is ready.
        latency_ms: milliseconds until it had said so; None where it did not answer.
        models: the state of every model version that was asked about.
        error: why models are not known, or "".
    """

    time: datetime
    ready: bool
    latency_ms: float | None
    models: tuple[ModelStatus, ...]
    error: str

    def healthy(self, names: Sequence[str]) -> bool:
        """Whether the endpoint is ready and, of `names`, each model has a version that is."""
        return self.ready and set(names) <= {model.name for model in self.models if model.ready}

    def record(self, url: str) -> dict[str, Any]:
        """What a program reads."""
        return {
            "time": self.time.isoformat(timespec="milliseconds"),
            "url": url,
            "ready": self.ready,
            "latency_ms": None if self.latency_ms is None else round(self.latency_ms, 3),
            "models": [{"name": m.name, "version": m.version, "state": m.state or "UNLOADED"} for m in self.models],
            "error": self.error or None,
        }


def watch(arguments: argparse.Namespace) -> Exit:
    """Look at the endpoint every so many seconds, until Ctrl-C or for so many times."""
    seen: deque[Sample] = deque(maxlen=_REMEMBERED)
    taken = 0
    with connect(arguments) as client:
        while True:
            started_s = time.monotonic()
            seen.append(take(client, arguments.models))
            taken += 1
            _show(arguments, seen)
            if taken == arguments.count:
                return Exit.DONE if seen[-1].healthy(arguments.models) else Exit.FAILED
            # From start to start, so that a slow answer does not stretch the rhythm.
            time.sleep(max(0.0, arguments.interval_s - (time.monotonic() - started_s)))


def take(client: Client, names: Sequence[str]) -> Sample:
    """One sample; a server that does not answer is part of it, not an error."""
    now, started_s = datetime.now(UTC), time.perf_counter()
    ready = client.ready()
    latency_ms = (time.perf_counter() - started_s) * 1000
    try:
        models = tuple(model for model in client.models() if not names or model.name in names)
    except FoveaError as error:
        return Sample(now, ready, latency_ms if ready else None, (), str(error))
    return Sample(now, ready, latency_ms, models, "")


def _show(arguments: argparse.Namespace, seen: Sequence[Sample]) -> None:
    if arguments.json:
        say_json(seen[-1].record(arguments.url))
    elif sys.stdout.isatty():
        say(_HOME_AND_CLEAR + "\n".join(screen(arguments.url, seen)))
    else:
        say(f"{seen[-1].time.isoformat(timespec='seconds')}  {_headline(arguments.url, seen[-1])}")


def screen(url: str, seen: Sequence[Sample]) -> list[str]:
    """The lines that a terminal shows of the samples so far."""
    last = seen[-1]
    known = [sample.latency_ms for sample in seen if sample.latency_ms is not None]
    lines = [f"{last.time.isoformat(timespec='seconds')}  {_headline(url, last)}"]
    if known:
        figures = f"median {statistics.median(known):.1f} ms, most {max(known):.1f} ms"
        lines.append(f"last {len(seen)} looks: {sum(s.ready for s in seen)} ready, {figures}")
    width = max((len(model.name) for model in last.models), default=0)
    lines += [
        f"  {model.name:{width}}  {model.version or '-'}  {model.state or 'UNLOADED'}  {model.reason}".rstrip()
        for model in last.models
    ]
    return [*lines, last.error] if last.error else lines


def _headline(url: str, sample: Sample) -> str:
    ready = "ready" if sample.ready else "not ready"
    latency = "no answer" if sample.latency_ms is None else f"{sample.latency_ms:.1f} ms"
    loaded = sum(model.ready for model in sample.models)
    return f"{url} is {ready}, {latency}, {loaded} of {len(sample.models)} models ready"
