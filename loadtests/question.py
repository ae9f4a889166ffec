"""What `capacity`, `compare` and `soak` have in common: their flags, the servers they ask, how one load is driven."""

import argparse
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from fovea_client import FoveaError

from loadtests.correctness import SAMPLES_FILE, read_samples
from loadtests.drawing import resolve_images
from loadtests.drive import Driver, Endpoint, Interruption, Load, Workers
from loadtests.errors import ServerNotReadyError
from loadtests.flags import add_endpoint_arguments, at_least_one, endpoint_from, not_negative, positive
from loadtests.images import image_set
from loadtests.judged import Judged, judged
from loadtests.rehearsal import rehearse
from loadtests.run import DRAWN, require_ready
from loadtests.served import Served, serve
from loadtests.settings import DEFAULT_SLO
from loadtests.slo import LoadProfile, Slo


def add_question_arguments(parser: argparse.ArgumentParser, *, out: str) -> None:
    """Add the flags that every question has; what no flag gives of the load comes from the file of objectives."""
    parser.add_argument("--slo", type=Path, default=DEFAULT_SLO, metavar="FILE", help="objectives and default load")
    parser.add_argument("--out", type=Path, default=Path(out), metavar="DIR", help="reports (default: %(default)s)")
    load = parser.add_argument_group("load")
    load.add_argument(
        "--images", action="append", metavar="DIR", help="images to send, as `loadtests run` takes them; several times"
    )
    load.add_argument("--warm-up-s", type=not_negative, metavar="S", help="time before each piece that is not judged")
    load.add_argument("--arrivals", choices=("poisson", "constant"), help="random or evenly spaced arrivals")
    load.add_argument("--seed", type=int, default=0, help="of everything random (default: %(default)s)")
    load.add_argument(
        "--processes", type=at_least_one, default=1, metavar="N", help="load generators here (default: %(default)s)"
    )
    add_endpoint_arguments(parser.add_argument_group("endpoint"))


def load_of(options: argparse.Namespace, profile: LoadProfile) -> Load:
    """The load of the flags at the objectives' own rate and duration. Raises NoImagesError when nothing can be sent."""
    images = resolve_images(options.images or (), options.task, DRAWN)
    image_set(images)
    return Load(
        images=images,
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


class Examiner:
    """Drives loads at servers and judges them; each server has a folder below `out` that its next load replaces."""

    def __init__(
        self, driver: Driver, endpoint: Endpoint, slo: Slo, out: Path, interruption: Interruption, workers: Workers
    ) -> None:
        self._driver = driver
        self._endpoint = endpoint
        self._slo = slo
        self._out = out
        self._interruption = interruption
        self._workers = workers

    @property
    def interrupted(self) -> bool:
        """Whether a signal asks for the end."""
        return bool(self._interruption.signal_name)

    def rehearse(self, servers: Sequence[Served], load: Load) -> None:
        """Note what each server answers before it is under load, for answers to be held to.

        Raises ServerNotReadyError, also for a server that is not ready or does not know the task.
        """
        for served in servers:
            require_ready(self._at(served))
            folder = self._folder(served)
            folder.mkdir(parents=True, exist_ok=True)
            try:
                rehearse(self._at(served), load, self._slo.correctness, folder, source=None, stop=self._interruption)
            except FoveaError as error:
                raise ServerNotReadyError(f"nothing to measure: {error}.") from None

    def is_ready(self, served: Served) -> bool:
        """Whether it still is."""
        try:
            require_ready(self._at(served))
        except ServerNotReadyError:
            return False
        return True

    def ask(self, served: Served, load: Load) -> Judged | None:
        """What came of the load; None when a signal cut it short."""
        answer = None if self.interrupted else self.ask_anyway(served, load)
        return None if self.interrupted else answer

    def ask_anyway(self, served: Served, load: Load, on_tick: Callable[[], None] = lambda: None) -> Judged:
        """What came of the load, cut short or not."""
        folder = self._folder(served)
        folder.mkdir(parents=True, exist_ok=True)
        # The generator appends to it.
        (folder / SAMPLES_FILE).unlink(missing_ok=True)
        driven = self._driver(
            self._at(served),
            load,
            folder,
            interruption=self._interruption,
            workers=self._workers,
            on_tick=on_tick,
        )
        return judged(driven, self._slo, read_samples(folder))

    def _at(self, served: Served) -> Endpoint:
        return replace(self._endpoint, url=served.url)

    def _folder(self, served: Served) -> Path:
        return self._out / "generator" / re.sub(r"[^\w.-]+", "-", served.url)


@contextmanager
def examination(
    options: argparse.Namespace, wanted: Sequence[Served | Release], slo: Slo, load: Load, driver: Driver
) -> Iterator[tuple[list[Served], Examiner]]:
    """The servers, running until the block ends, and their examiner; signals are noted, answers rehearsed.

    Raises ServerNotReadyError.
    """
    interruption = Interruption()
    with interruption.listen(), running(wanted, options.out, interruption) as servers:
        endpoint, workers = endpoint_at(options, servers[0]), Workers(options.processes)
        examiner = Examiner(driver, endpoint, slo, options.out, interruption, workers)
        examiner.rehearse(servers, load)
        yield servers, examiner


def share(text: str) -> float:
    """A number over 0 and at most 1."""
    value = positive(text)
    if value > 1:
        raise argparse.ArgumentTypeError(f"{text} is over 1")
    return value
