"""Arrival times as users once made them, from a file.

    CSV with a header line          time_s,image,weight
    JSON lines                      {"time_s": 0.25, "image": "a.jpg", "weight": 2}

`time_s` counts from the start of the trace and must not fall. `image` names the file to send, by its name; left out or
empty, the images take turns. `weight` is how many requests the line stands for, all due at its time; left out, one.
"""

import csv
import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from loadtests.arrivals.times import MAX_ARRIVALS, NS_PER_S
from loadtests.errors import InvalidScheduleError

COLUMNS = ("time_s", "image", "weight")
# A year; beyond some 292 of them nanoseconds do not fit into an int64.
MAX_TIME_S = 366 * 86_400


@dataclass(frozen=True)
class Trace:
    """`due_ns`: int64 [N], ascending; `images`: for each the name of a file, "" where the trace names none."""

    due_ns: NDArray[np.int64]
    images: tuple[str, ...]


def read_trace(path: Path) -> Trace:
    """The arrivals in a trace. Raises InvalidScheduleError, naming the file and the first line that is wrong."""
    times_ns: list[int] = []
    images: list[str] = []
    for place, fields in _lines(path):
        time_ns, image, weight = _arrival(f"{path}, line {place}", fields)
        if times_ns and time_ns < times_ns[-1]:
            raise InvalidScheduleError(f"{path}, line {place}: time_s falls; sort the trace by time.")
        if len(times_ns) + weight > MAX_ARRIVALS:
            raise InvalidScheduleError(f"{path} holds more than the {MAX_ARRIVALS} requests one run may send: cut it.")
        times_ns += [time_ns] * weight
        images += [image] * weight
    if not times_ns:
        raise InvalidScheduleError(f"{path} holds no arrival: give --trace a file with lines of {', '.join(COLUMNS)}.")
    return Trace(np.array(times_ns, dtype=np.int64), tuple(images))


def _lines(path: Path) -> Iterator[tuple[int, Mapping[str, Any]]]:
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            if path.suffix.lower() == ".csv":
                reader = csv.DictReader(file)
                yield from ((reader.line_num, fields) for fields in reader)
            else:
                for place, line in enumerate(file, 1):
                    if line.strip():
                        yield place, json.loads(line)
    except (OSError, ValueError, csv.Error) as error:
        raise InvalidScheduleError(
            f"{path} cannot be read as a trace ({error}): give --trace a .csv or .jsonl."
        ) from None


def _weight(given: Any) -> int:
    if given in (None, ""):
        return 1
    # JSON has one kind of number: 2.0 is a count, 2.7 is none.
    return int(given) if isinstance(given, str) or given == int(given) else 0


def _arrival(place: str, fields: Any) -> tuple[int, str, int]:
    if not isinstance(fields, Mapping) or not set(fields) <= set(COLUMNS):
        raise InvalidScheduleError(f"{place}: columns are {', '.join(COLUMNS)}, nothing else.")
    try:
        time_s, weight = float(fields["time_s"]), _weight(fields.get("weight"))
    except (KeyError, TypeError, ValueError, OverflowError):
        time_s, weight = math.nan, 0
    if not 0 <= time_s <= MAX_TIME_S or weight < 1:
        raise InvalidScheduleError(
            f"{place}: time_s must be a number of seconds from 0 to {MAX_TIME_S}, weight a whole number from 1."
        )
    return round(time_s * NS_PER_S), str(fields.get("image") or ""), weight
