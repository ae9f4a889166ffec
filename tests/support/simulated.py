"""A server in arithmetic: a queue with so many instances, service times, stalls, noise. A minute takes milliseconds."""

import heapq
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
ServiceTimes = Callable[[np.random.Generator, int], Floats]


def constant(service_s: float) -> ServiceTimes:
    return lambda _, count: np.full(count, service_s)


def lognormal(median_s: float, sigma: float) -> ServiceTimes:
    return lambda rng, count: median_s * np.exp(rng.normal(0, sigma, count))


@dataclass
class SimulatedServer:
    """First come, first served, by `instances` equal instances.

    `drift` slows the machine for a while (an AR(1) walk of the logarithm, one step a call of `latencies_s`), `burst`
    is the chance that a whole call is slowed by half, as a neighbour does it. `slowdown` is what a test plants.
    """

    service: ServiceTimes
    instances: int = 1
    slowdown: float = 1.0
    growth_per_s: float = 0.0
    network_s: float = 0.0
    seed: int = 0
    rng: np.random.Generator = field(init=False)

    def __post_init__(self) -> None:
        self.rng = np.random.default_rng(self.seed)

    def latencies_s(self, due_s: Floats, machine: float = 1.0) -> Floats:
        """Seconds from due to answered, shape [N]; `machine` multiplies every service time."""
        service_s = self.service(self.rng, len(due_s)) * self.slowdown * machine * (1 + self.growth_per_s * due_s)
        free_s = [0.0] * self.instances
        done_s = np.empty(len(due_s))
        for index, (due, needed) in enumerate(zip(due_s, service_s, strict=True)):
            done_s[index] = max(due, heapq.heappop(free_s)) + needed
            heapq.heappush(free_s, done_s[index])
        return done_s - due_s + self.network_s


@dataclass
class NoisyMachine:
    """How slow the machine is now: wanders slowly, and now and then a neighbour takes half of it."""

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
