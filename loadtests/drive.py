"""One bounded piece of load: what every command is made of, and what each is tested without.

`run` drives one, `capacity`, `compare` and `soak` drive many. They take `drive` as a parameter of type `Driver`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from loadtests.endpoint import Endpoint
from loadtests.generator import ALONE, Generation, Workers, generate
from loadtests.interruption import Interruption
from loadtests.load import Load
from loadtests.recorder import Recording, read_recording
from loadtests.server_phases import ServerPhases, read_counts, server_phases

__all__ = ["Drive", "Driver", "Endpoint", "Interruption", "Load", "Recording", "ServerPhases", "Workers", "drive"]


@dataclass(frozen=True, eq=False)
class Drive:
    """What came of a piece of load.

    Attributes:
        load: what was asked for.
        due_ns: when its requests were due, int64 [N], ascending; of a closed loop, when they were sent.
        recording: every request, those of the warm-up too.
        generator_cpu_ratio: CPU seconds of the busiest generator process over the seconds that it ran, about 1 for a
            core that is used up; None where it could not tell.
        faults: sentences about what went wrong with the generator; with one the figures cannot be trusted.
        server: where the server spent its time, None where it does not say.
    """

    load: Load
    due_ns: NDArray[np.int64]
    recording: Recording
    generator_cpu_ratio: float | None = None
    faults: tuple[str, ...] = ()
    server: ServerPhases | None = None

    @property
    def warm_up(self) -> Recording:
        """The requests that were due before."""
        rows = self.recording.rows
        return Recording(rows[rows["intended_ns"] < self.load.warm_up_ns], self.recording.errors)

    @property
    def measured(self) -> Recording:
        """The requests that were due after the warm-up."""
        return self.recording.since(self.load.warm_up_ns)

    @property
    def lag_ns(self) -> NDArray[np.int64]:
        """How late the generator sent each of them; int64."""
        return self.measured.lag_ns


class Driver(Protocol):
    """`drive`, or what stands in for it."""

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
        """See `drive`."""


def drive(
    endpoint: Endpoint,
    load: Load,
    out: Path,
    *,
    interruption: Interruption,
    workers: Workers = ALONE,
    on_tick: Callable[[], None] = lambda: None,
) -> Drive:
    """Send a load from processes of their own and return what was measured, whole or cut short.

    Args:
        endpoint: who is asked; that it is ready is the caller's to check.
        load: how much.
        out: an existing folder; the files of the generator in it are replaced.
        interruption: ends the load early, see `interruption`.
        workers: the generators that share the load.
        on_tick: called about ten times a second.

    Raises:
        InvalidScheduleError: the load cannot be driven.
    """
    due_ns = load.due_ns()
    before = read_counts(endpoint)
    generation: Generation = generate(endpoint, load, out, interruption, workers=workers, on_tick=on_tick)
    recording = read_recording(out)
    phases = None if interruption.signal_name else server_phases(before, read_counts(endpoint), endpoint.task)
    if load.users:
        due_ns = np.sort(recording.rows["intended_ns"])
    return Drive(load, due_ns, recording, generation.cpu_ratio, generation.faults, phases)
