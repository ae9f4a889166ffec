"""Requests at a steady rate, whatever becomes of the earlier ones, and what became of each.

`python -m traffic TARGET …` is run where the Services are reachable and prints the tallies as JSON; `Traffic` starts
that and lets a test do something meanwhile.
"""

import argparse
import asyncio
import json
import subprocess
import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from fovea_client import AsyncClient, FoveaError, Retry, Tls

MOST_S = 600.0  # an end to what nobody stopped


@dataclass
class Tally:
    """What became of one client's requests; of those that failed, when they were sent and ended (seconds)."""

    sent: int = 0
    answered: int = 0
    failures: Counter[str] = field(default_factory=Counter)
    latencies_ms: list[float] = field(default_factory=list)
    failed_s: list[tuple[float, float]] = field(default_factory=list)

    def summary(self) -> dict[str, Any]:
        """Counts, the failures by reason, and latencies in milliseconds."""
        ordered = sorted(self.latencies_ms) or [0.0]
        quantile = {part: ordered[min(len(ordered) - 1, len(ordered) * part // 100)] for part in (50, 99, 100)}
        return {
            "sent": self.sent,
            "failed": self.sent - self.answered,
            "failures": dict(self.failures),
            "failed_s": self.failed_s[:100],
        } | {f"p{part}_ms": round(value, 1) for part, value in quantile.items()}


@dataclass
class Caller:
    """One client that asks at a steady rate."""

    client: AsyncClient
    task: str
    image: bytes
    per_s: float
    tally: Tally = field(default_factory=Tally)

    async def keep_asking(self, least_s: float, stop: asyncio.Event) -> None:
        """Ask for at least so long and until told to stop; return when the last answer is there."""
        begun_s, asked = time.monotonic(), set()
        while (elapsed_s := time.monotonic() - begun_s) < MOST_S and not (elapsed_s >= least_s and stop.is_set()):
            await asyncio.sleep(self.tally.sent / self.per_s - elapsed_s)
            self.tally.sent += 1
            asked.add(task := asyncio.create_task(self._ask(begun_s)))
            task.add_done_callback(asked.discard)
        await asyncio.gather(*asked)

    async def _ask(self, begun_s: float) -> None:
        sent_s = time.monotonic()
        try:
            if self.task == "eye_disease":
                await self.client.classify(self.image, task=self.task)
            else:
                await self.client.segment(self.image, task=self.task)
        except FoveaError as error:
            self.tally.failures[f"{type(error).__name__}: {error}"[:300]] += 1
            self.tally.failed_s.append((round(sent_s - begun_s, 3), round(time.monotonic() - begun_s, 3)))
        else:
            self.tally.answered += 1
            self.tally.latencies_ms.append(1000 * (time.monotonic() - sent_s))


class Traffic:
    """A `with` block during which clients with and without retries ask; afterwards `tallies` has what came of it."""

    def __init__(self, command: list[str], environment: dict[str, str], *words: str, stop: Path) -> None:
        self._stop = stop
        self._words = [*command, sys.executable, "-m", "traffic", *words, "--until", str(stop)]
        self._environment = environment
        self.tallies: dict[str, dict[str, Any]] = {}

    def __enter__(self) -> Self:
        self._stop.unlink(missing_ok=True)
        self._process = subprocess.Popen(
            self._words, env=self._environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        assert self._process.stdout is not None
        assert self._process.stdout.readline() == "asking\n", self._process.communicate()[1][-2000:]
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._stop.touch()
        output, complaints = self._process.communicate(timeout=MOST_S)
        if kind is None:
            assert output, complaints[-2000:]
            self.tallies = json.loads(output.splitlines()[-1])


async def _run(parsed: argparse.Namespace) -> dict[str, dict[str, Any]]:
    image, stop = parsed.image.read_bytes(), asyncio.Event()
    tls = Tls(parsed.ca, parsed.certificate, parsed.key) if parsed.ca else None
    kinds = {"retries": Retry(), "no_retries": Retry.none()}
    callers = {
        name: Caller(AsyncClient(parsed.target, retry=retry, tls=tls), parsed.task, image, parsed.per_s)
        for name, retry in kinds.items()
    }
    for caller in callers.values():
        await caller.client.wait_until_ready(timeout_s=parsed.ready_s)
        await caller.client.describe(parsed.task)
    sys.stdout.write("asking\n")
    sys.stdout.flush()
    watching = asyncio.create_task(_watch(parsed.until, stop))
    await asyncio.gather(*(caller.keep_asking(parsed.least_s, stop) for caller in callers.values()))
    watching.cancel()
    for caller in callers.values():
        await caller.client.close()
    return {name: caller.tally.summary() for name, caller in callers.items()}


async def _watch(file: Path, stop: asyncio.Event) -> None:
    while not file.exists():
        await asyncio.sleep(0.1)
    stop.set()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m traffic", description=__doc__)
    parser.add_argument("target", help="as fovea_client takes it")
    parser.add_argument("--task", required=True)
    parser.add_argument("--image", type=Path, required=True)
    parser.add_argument("--per-s", type=float, default=50.0, help="requests a second of each of the two clients")
    parser.add_argument("--least-s", type=float, default=60.0)
    parser.add_argument("--ready-s", type=float, default=30.0, help="how long a server may take to be ready")
    parser.add_argument("--until", type=Path, required=True, help="the traffic ends when this file appears")
    for name in ("ca", "certificate", "key"):
        parser.add_argument(f"--{name}", type=Path)
    return parser


def main() -> int:
    """Print the tallies; 0 when every request was answered, 1 when one was not."""
    tallies = asyncio.run(_run(_parser().parse_args()))
    sys.stdout.write(json.dumps(tallies) + "\n")
    return 1 if any(tally["failed"] for tally in tallies.values()) else 0


if __name__ == "__main__":
    sys.exit(main())
