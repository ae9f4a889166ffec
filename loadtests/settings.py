"""What one run does, and the flags that say so.

The front door and the locustfile are two processes with the same flags; both take them from here.
"""

import argparse
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from loadtests.schedule import Arrivals, arrival_times_ns
from loadtests.slo import LoadProfile

DEFAULT_SLO = Path(__file__).with_name("slo.yaml")
ROWS_FILE = "requests.jsonl"


@dataclass(frozen=True)
class RunSettings:
    """One run, complete: nothing is looked up elsewhere once this exists."""

    url: str
    images: Path
    task: str
    rate_rps: float
    duration_s: float
    warm_up_s: float
    arrivals: Arrivals
    seed: int
    timeout_s: float
    connections: int
    out: Path
    slo: Path

    @property
    def span_s(self) -> float:
        """The length of the schedule: warm-up and measured time."""
        return self.warm_up_s + self.duration_s

    def due_ns(self) -> NDArray[np.int64]:
        """The schedule, as `schedule.arrival_times_ns` gives it. Raises InvalidScheduleError."""
        return arrival_times_ns(rate_rps=self.rate_rps, span_s=self.span_s, arrivals=self.arrivals, seed=self.seed)

    def to_arguments(self) -> list[str]:
        """The command line that gives these settings again."""
        return [f"--{name.replace('_', '-')}={value}" for name, value in vars(self).items()]


def add_run_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the flags of a run to a parser, Locust's own included."""
    parser.add_argument("--url", required=True, metavar="HOST:PORT", help="gRPC address of the server")
    parser.add_argument("--images", required=True, type=Path, metavar="DIR", help="folder of encoded images to send")
    parser.add_argument("--task", default="vessels", help="model to ask (default: %(default)s)")
    parser.add_argument("--slo", type=Path, default=DEFAULT_SLO, metavar="FILE", help="objectives and default load")
    parser.add_argument("--rate", dest="rate_rps", type=positive, metavar="RPS", help="arrivals per second")
    parser.add_argument("--rate-rps", dest="rate_rps", type=positive, help=argparse.SUPPRESS)
    parser.add_argument("--duration-s", type=positive, metavar="S", help="measured time, after the warm-up")
    parser.add_argument("--warm-up-s", type=not_negative, metavar="S", help="time before it that is not judged")
    parser.add_argument("--arrivals", choices=("poisson", "constant"), help="random or evenly spaced arrivals")
    parser.add_argument("--seed", type=int, default=0, help="of the random arrivals (default: %(default)s)")
    parser.add_argument(
        "--timeout-s", type=positive, default=10.0, metavar="S", help="patience with one request (default: %(default)s)"
    )
    parser.add_argument(
        "--connections", type=at_least_one, default=4, metavar="N", help="TCP connections (default: %(default)s)"
    )
    parser.add_argument(
        "--out", type=Path, default=Path("build/loadtest"), metavar="DIR", help="reports (default: %(default)s)"
    )


def settings_from(arguments: argparse.Namespace, load: LoadProfile) -> RunSettings:
    """The settings of parsed flags; the load that no flag gives comes from the file of objectives."""
    given = {name: getattr(arguments, name) for name in RunSettings.__dataclass_fields__}
    defaults = load.model_dump()
    return RunSettings(**{name: defaults[name] if value is None else value for name, value in given.items()})


def positive(text: str) -> float:
    """A finite number over 0."""
    value = float(text)
    if not 0 < value < float("inf"):
        raise argparse.ArgumentTypeError(f"{text} is not a number over 0")
    return value


def not_negative(text: str) -> float:
    """A finite number, 0 or over."""
    return 0.0 if float(text) == 0 else positive(text)


def at_least_one(text: str) -> int:
    """A whole number, 1 or over."""
    return int(positive(str(int(text))))
