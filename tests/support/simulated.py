"""A server in arithmetic: a queue with so many instances, service times, noise, a leak. A minute takes milliseconds."""

import heapq
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from loadtests.arrivals import NS_PER_S
from loadtests.drive import Drive, Endpoint, Interruption, Load, Workers
from loadtests.generator import ALONE
from loadtests.recorder import RIGHT, ROW, Recording

Floats = NDArray[np.float64]
ServiceTimes = Callable[[np.random.Generator, int], Floats]


def constant(service_s: float) -> ServiceTimes:
    return lambda _, count: np.full(count, service_s)


def lognormal(median_s: float, sigma: float) -> ServiceTimes:
    return lambda rng, count: median_s * np.exp(rng.normal(0, sigma, count))


@dataclass
class NoisyMachine:
    """How slow the machine is now: wanders slowly, and now and then a neighbour takes a third of it."""

    seed: int = 0
    step: float = 0.03
    memory: float = 0.9
    burst: float = 0.05
    _level: float = 0.0

    def __post_init__(self) -> None:
        self.rng = np.random.default_rng(self.seed + 10_000)

    def next(self) -> float:
        self._level = self.memory * self._level + self.rng.normal(0, self.step)
        return float(np.exp(self._level) * (1.5 if self.rng.random() < self.burst else 1.0))


@dataclass
class SimulatedServer:
    """First come, first served, by `instances` equal instances. What a test plants: `slowdown`, `growth` (the share by
    which service is slower after the whole load), `failing` (the share of requests that fail at once).
    """

    service: ServiceTimes
    instances: int = 1
    slowdown: float = 1.0
    growth: float = 0.0
    failing: float = 0.0
    network_s: float = 0.001
    seed: int = 0
    rng: np.random.Generator = field(init=False)

    def __post_init__(self) -> None:
        self.rng = np.random.default_rng(self.seed)

    def latencies_s(self, due_s: Floats, machine: float = 1.0) -> Floats:
        """Seconds from due to answered, shape [N]; `machine` multiplies every service time."""
        aged = 1 + self.growth * due_s / max(float(due_s.max(initial=0.0)), 1e-9)
        service_s = self.service(self.rng, len(due_s)) * self.slowdown * machine * aged
        free_s = [0.0] * self.instances
        done_s = np.empty(len(due_s))
        for index, (due, needed) in enumerate(zip(due_s.tolist(), service_s.tolist(), strict=True)):
            done_s[index] = max(due, heapq.heappop(free_s)) + needed
            heapq.heappush(free_s, done_s[index])
        return done_s - due_s + self.network_s


@dataclass
class SimulatedDriver:
    """Stands in for `drive`: servers by url, a machine whose noise they share. `lag_ms` is the generator's own;
    `interrupt_after` loads it notes SIGINT, as a user's Ctrl-C would.
    """

    servers: dict[str, SimulatedServer]
    machine: NoisyMachine = field(default_factory=lambda: NoisyMachine(step=0.0, burst=0.0))
    lag_ms: float = 0.5
    interrupt_after: int = 10**9
    loads: list[tuple[str, Load]] = field(default_factory=list)

    def __call__(
        self,
        endpoint: Endpoint,
        load: Load,
        out: Path,
        *,
        interruption: Interruption,
        workers: Workers = ALONE,
        on_tick: Callable[[], None] = lambda: None,
    ) -> Drive:
        on_tick()
        self.loads.append((endpoint.url, load))
        if len(self.loads) > self.interrupt_after:
            interruption.signal_name = "SIGINT"
        due_ns = load.due_ns()
        return Drive(load, due_ns, self._answers(self.servers[endpoint.url], due_ns))

    def _answers(self, server: SimulatedServer, due_ns: NDArray[np.int64]) -> Recording:
        rows = np.zeros(len(due_ns), ROW)
        rows["index"] = np.arange(len(due_ns))
        rows["intended_ns"] = due_ns
        rows["sent_ns"] = due_ns + int(self.lag_ms * 1e6)
        latency_s = server.latencies_s(due_ns / NS_PER_S, self.machine.next())
        failed = server.rng.random(len(due_ns)) < server.failing
        rows["finished_ns"] = due_ns + np.where(failed, 0.0005 * NS_PER_S, latency_s * NS_PER_S).astype(np.int64)
        rows["error"] = np.where(failed, 0, RIGHT)
        return Recording(rows, ("the model is out of memory",))
