"""What `capacity`, `compare` and `soak` have in common: their flags, the servers they ask, how one load is driven."""

import argparse
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from loadtests.drive import Drive, Driver, Endpoint, Interruption, Load
from loadtests.errors import ServerNotReadyError
from loadtests.flags import add_endpoint_arguments, endpoint_from, not_negative, positive
from loadtests.images import find_images
from loadtests.run import require_ready
from loadtests.served import Served, serve
from loadtests.settings import DEFAULT_SLO
from loadtests.slo import LoadProfile


def add_question_arguments(parser: argparse.ArgumentParser, *, out: str) -> None:
    """Add the flags that every question has; what no flag gives of the load comes from the file of objectives."""
    parser.add_argument("--slo", type=Path, default=DEFAULT_SLO, metavar="FILE", help="objectives and default load")
    parser.add_argument("--out", type=Path, default=Path(out), metavar="DIR", help="reports (default: %(default)s)")
    load = parser.add_argument_group("load")
    load.add_argument(
        "--images", action="append", metavar="DIR", help="folder of encoded images to send; may be given several times"
    )
    load.add_argument("--warm-up-s", type=not_negative, metavar="S", help="time before each piece that is not judged")
    load.add_argument("--arrivals", choices=("poisson", "constant"), help="random or evenly spaced arrivals")
    load.add_argument("--seed", type=int, default=0, help="of everything random (default: %(default)s)")
    add_endpoint_arguments(parser.add_argument_group("endpoint"))


def load_of(options: argparse.Namespace, profile: LoadProfile) -> Load:
    """The load of the flags at the objectives' own rate and duration. Raises NoImagesError when nothing can be sent."""
    find_images(options.images or ())
    return Load(
        images=tuple(options.images),
        rate_rps=profile.rate_rps,
        duration_s=profile.duration_s,
        warm_up_s=profile.warm_up_s if options.warm_up_s is None else options.warm_up_s,
        arrivals=options.arrivals or profile.arrivals,
        seed=options.seed,
    )


def endpoint_at(options: argparse.Namespace, served: Served) -> Endpoint:
    """The endpoint of the flags at that server."""
    return endpoint_from(argparse.Namespace(**{**vars(options), "url": served.url}))


@dataclass(frozen=True)
class Release:
    """A placed release and how to serve it."""

    repository: Path
    profile: str = "default"
    instances: int | None = None


@contextmanager
def running(wanted: Sequence[Served | Release], out: Path, interruption: Interruption) -> Iterator[list[Served]]:
    """All of them as running servers, releases started one after the other and ended with the block.

    Raises ServerNotReadyError.
    """
    with ExitStack() as stack:
        servers = []
        for number, each in enumerate(wanted):
            if isinstance(each, Release):
                folder = out / "servers" / str(number)
                context = serve(
                    each.repository,
                    folder,
                    profile=each.profile,
                    instances=each.instances,
                    interrupted=lambda: bool(interruption.signal_name),
                )
                servers.append(stack.enter_context(context))
            else:
                servers.append(each)
        yield servers


class Asker:
    """Drives loads at servers, each in a folder of its own below `out` that the next one replaces."""

    def __init__(
        self, driver: Driver, endpoint: Endpoint, out: Path, interruption: Interruption, processes: int = 1
    ) -> None:
        self._driver = driver
        self._endpoint = endpoint
        self._folder = out / "generator"
        self._interruption = interruption
        self._processes = processes

    @property
    def interrupted(self) -> bool:
        """Whether a signal asks for the end."""
        return bool(self._interruption.signal_name)

    def require_ready(self, servers: Sequence[Served]) -> None:
        """Return when all are ready and know the task. Raises ServerNotReadyError."""
        for served in servers:
            require_ready(replace(self._endpoint, url=served.url))

    def is_ready(self, served: Served) -> bool:
        """Whether it still is."""
        try:
            self.require_ready([served])
        except ServerNotReadyError:
            return False
        return True

    def ask(self, served: Served, load: Load, on_tick: Callable[[], None] = lambda: None) -> Drive | None:
        """What came of the load; None when a signal cut it short."""
        driven = None if self.interrupted else self.ask_anyway(served, load, on_tick)
        return None if self.interrupted else driven

    def ask_anyway(self, served: Served, load: Load, on_tick: Callable[[], None] = lambda: None) -> Drive:
        """What came of the load, cut short or not."""
        self._folder.mkdir(parents=True, exist_ok=True)
        return self._driver(
            replace(self._endpoint, url=served.url),
            load,
            self._folder,
            interruption=self._interruption,
            processes=self._processes,
            on_tick=on_tick,
        )


def share(text: str) -> float:
    """A number over 0 and at most 1."""
    value = positive(text)
    if value > 1:
        raise argparse.ArgumentTypeError(f"{text} is over 1")
    return value
