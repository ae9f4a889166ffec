"""How much is asked: when requests are due, for how long, and which images they carry."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from loadtests.arrivals import NS_PER_S, STEADY, Shape, Spacing, arrival_times_ns, read_trace
from loadtests.errors import InvalidScheduleError
from loadtests.images import ImageSet


@dataclass(frozen=True)
class Load:
    """Requests to send: `duration_s` is measured, after `warm_up_s` that is not.

    Attributes:
        images: folders of encoded images as `--images` takes them, see `images`.
        rate_rps: arrivals a second; the highest rate of a shape that is not steady. Of no meaning with `trace`.
        arrivals: random or evenly spaced.
        shape: how the rate changes over the measured time.
        trace: a file of arrival times instead of rate, arrivals and shape; it is cut where warm-up and duration end.
        users: over 0, a closed loop: so many users who each ask again as soon as they are answered, whatever the rate.
        seed: of the random arrivals.
    """

    images: tuple[str, ...]
    rate_rps: float
    duration_s: float
    warm_up_s: float = 0.0
    arrivals: Spacing = "poisson"
    shape: Shape = STEADY
    trace: Path | None = None
    users: int = 0
    seed: int = 0

    @property
    def span_s(self) -> float:
        """The length of the schedule: warm-up and measured time."""
        return self.warm_up_s + self.duration_s

    @property
    def warm_up_ns(self) -> int:
        """What is due before is not judged."""
        return int(self.warm_up_s * NS_PER_S)

    def due_ns(self) -> NDArray[np.int64]:
        """The schedule, int64 [N], ascending; empty for a closed loop, which has none.

        Raises InvalidScheduleError, also when nothing would be due after the warm-up.
        """
        if self.users:
            return np.empty(0, np.int64)
        due_ns = self._traced_ns() if self.trace is not None else self._made_ns()
        if not (due_ns >= self.warm_up_ns).any():
            raise InvalidScheduleError(
                f"At {self.rate_rps:g} requests/s none is due in the {self.duration_s:g} s after the warm-up: "
                "raise --rate or --duration-s."
                if self.trace is None
                else f"{self.trace} holds no request that is due in the {self.duration_s:g} s after the warm-up."
            )
        return due_ns

    def carried(self, images: ImageSet, count: int) -> NDArray[np.int32]:
        """For each of `count` requests the place among the images of the one it carries; int32 [count].

        Raises InvalidScheduleError when the trace names an image that is not among them.
        """
        chosen = images.sequence(count, self.seed)
        names = read_trace(self.trace).images[:count] if self.trace is not None else ()
        places = {path.name: place for place, path in enumerate(images.paths)}
        for index, name in enumerate(names):
            if name and name not in places:
                raise InvalidScheduleError(f"{self.trace} names {name}, which is not among the images: see --images.")
            chosen[index] = places[name] if name else chosen[index]
        return chosen

    def _made_ns(self) -> NDArray[np.int64]:
        return arrival_times_ns(
            rate_rps=self.rate_rps,
            span_s=self.span_s,
            arrivals=self.arrivals,
            seed=self.seed,
            shape=self.shape,
            warm_up_s=self.warm_up_s,
        )

    def _traced_ns(self) -> NDArray[np.int64]:
        assert self.trace is not None  # noqa: S101
        due_ns = read_trace(self.trace).due_ns
        return due_ns[due_ns < self.span_s * NS_PER_S]
