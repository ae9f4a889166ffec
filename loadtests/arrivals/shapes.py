"""How the arrival rate changes over the measured time, as a share of the rate that is asked for.

    steady                                  the whole rate all the time
    ramp:start=0.1                          from a share of the rate straight up to the rate
    steps:count=5                           so many equal steps, the last one at the rate
    spike:base=0.2,at=0.5,width=0.1         a base load and one burst at the rate
    diurnal:trough=0.2,periods=1            from a trough over the rate and back, a raised cosine, like day and night

Times and widths are shares of the measured time, so a shape fits a run of any length.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from loadtests.errors import InvalidScheduleError

Floats = NDArray[np.float64]
# (share of the time, parameters) to share of the rate
_Function = Callable[[Floats, Mapping[str, float]], Floats]
MAX_STEPS, MAX_PERIODS = 1000, 1000


@dataclass(frozen=True)
class Shape:
    """A curve by name, with its parameters; `text` is how the command line says it."""

    name: str
    parameters: tuple[tuple[str, float], ...] = ()

    def share(self, time: Floats) -> Floats:
        """The rate at each time as a share of the peak rate, 0 to 1; `time` is a share of the measured time, 0 to 1."""
        share: Floats = _CURVES[self.name](np.clip(time, 0.0, 1.0), dict(self.parameters))
        return share

    @property
    def text(self) -> str:
        """What `shape_from` makes this shape of."""
        words = ",".join(f"{name}={value:g}" for name, value in self.parameters)
        return f"{self.name}:{words}" if words else self.name


def _steady(time: Floats, _: Mapping[str, float]) -> Floats:
    return np.ones_like(time)


def _ramp(time: Floats, given: Mapping[str, float]) -> Floats:
    return given["start"] + (1 - given["start"]) * time


def _steps(time: Floats, given: Mapping[str, float]) -> Floats:
    count = given["count"]
    step: Floats = np.minimum(np.floor(time * count) + 1, count)
    share: Floats = step / count
    return share


def _spike(time: Floats, given: Mapping[str, float]) -> Floats:
    within = np.abs(time - given["at"]) <= given["width"] / 2
    share: Floats = np.where(within, 1.0, given["base"])
    return share


def _diurnal(time: Floats, given: Mapping[str, float]) -> Floats:
    rise: Floats = (1 - np.cos(2 * np.pi * given["periods"] * time)) / 2
    return given["trough"] + (1 - given["trough"]) * rise


_CURVES: dict[str, _Function] = {
    "steady": _steady, "ramp": _ramp, "steps": _steps, "spike": _spike, "diurnal": _diurnal,
}  # fmt: skip
# Each parameter's default and the largest value it takes; the smallest is 0, or 1 for what is counted.
_PARAMETERS: dict[str, dict[str, tuple[float, float]]] = {
    "steady": {},
    "ramp": {"start": (0.1, 1)},
    "steps": {"count": (5, MAX_STEPS)},
    "spike": {"base": (0.2, 1), "at": (0.5, 1), "width": (0.1, 1)},
    "diurnal": {"trough": (0.2, 1), "periods": (1, MAX_PERIODS)},
}
SHAPES = tuple(_CURVES)
STEADY = Shape("steady")


def shape_from(text: str) -> Shape:
    """The shape of a text such as `spike` or `spike:base=0.3,width=0.2`; what is left out has its default.

    Raises InvalidScheduleError.
    """
    name, _, words = text.partition(":")
    if name not in _PARAMETERS:
        raise InvalidScheduleError(f"'{name}' is no shape: use {', '.join(SHAPES)}.")
    values = {key: default for key, (default, _) in _PARAMETERS[name].items()}
    for word in filter(None, words.split(",")):
        key, value = _parameter(name, word)
        values[key] = value
    return Shape(name, tuple(values.items()))


def _parameter(shape: str, word: str) -> tuple[str, float]:
    key, _, text = word.partition("=")
    known = _PARAMETERS[shape]
    if key not in known:
        raise InvalidScheduleError(f"shape '{shape}' has no parameter '{key}' (known: {', '.join(known) or 'none'}).")
    largest = known[key][1]
    counted = key in ("count", "periods")
    try:
        value = float(int(text)) if counted else float(text)
    except ValueError:
        value = float("nan")
    if not (1 if counted else 0) <= value <= largest:
        kind = f"a whole number from 1 to {largest:g}" if counted else f"a number from 0 to {largest:g}"
        raise InvalidScheduleError(f"shape '{shape}': {key} is '{text}', give {kind}.")
    return key, value
