"""A run in several processes: starts them, passes signals on, and ends them all when one dies."""

import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from types import FrameType

from training.config import TrainingConfig
from training.errors import ConfigError, LostProcessError, StoppedError, TrainingError
from training.failures import kept

# Processes that found the others gone, or were told to stop, need a moment to write what they have.
_GRACE_S = 20.0
_POLL_S = 0.1
Process = subprocess.Popen[bytes]


@dataclass(frozen=True)
class Order:
    """What a process of a distributed run is told, as JSON.

    Attributes:
        config: the fields of TrainingConfig.
        parent_id: of the tracked run that this one is a part of.
    """

    config: dict[str, object]
    parent_id: str


@dataclass(frozen=True)
class Report:
    """How a process ended, as JSON: the name of the error's class, its sentence, and the signal that stopped it."""

    kind: str
    sentence: str
    signal_number: int = 0


def train_in_processes(config: TrainingConfig, parent_id: str) -> None:
    """Train in `trainer.devices` processes of this machine; number 0 prints, records, judges and writes the folder.

    Lightning could start them itself, by calling this process's own command again: that would repeat a whole
    cross-validation, and it kills everything without a word when one of them dies.

    Raises:
        TrainingError: what the process raised that ended first.
        StoppedError: a signal.
    """
    began_s = time.time()
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        (folder / "order.json").write_text(json.dumps(asdict(Order(asdict(config), parent_id))))
        processes = _start(folder, config.trainer.devices)
        try:
            with _signals_to(processes):
                _wait(processes)
        finally:
            _end(processes)
        if any(process.returncode for process in processes):
            raise _cause(processes, folder, Path(config.out), began_s)


def report_file(folder: Path, rank: int) -> Path:
    """Return where process number `rank` says how it ended, if it did not end well."""
    return folder / f"report_{rank}.json"


def _start(folder: Path, count: int) -> list[Process]:
    # Lightning reads these and then starts no processes of its own.
    shared = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(_free_port()), "NODE_RANK": "0", "WORLD_SIZE": str(count)}
    command = [sys.executable, "-m", "training.rank", str(folder)]
    return [
        # Their standard input closes when this process dies, whatever kills it. In sessions of their own, so that
        # Ctrl-C reaches each of them once, from here.
        subprocess.Popen(
            [*command, str(rank)],
            env=os.environ | shared | {"LOCAL_RANK": str(rank)},
            stdin=subprocess.PIPE,
            start_new_session=True,
        )
        for rank in range(count)
    ]


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def _signals_to(processes: Sequence[Process]) -> Iterator[None]:
    def forward(number: int, frame: FrameType | None) -> None:
        del frame
        for process in processes:
            process.send_signal(number)

    before = {number: signal.signal(number, forward) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _wait(processes: Sequence[Process]) -> None:
    """Return when all have ended, or some time after the first one has failed."""
    deadline_s = float("inf")
    while any(process.poll() is None for process in processes) and time.monotonic() < deadline_s:
        if deadline_s == float("inf") and any(process.returncode for process in processes):
            deadline_s = time.monotonic() + _GRACE_S
        time.sleep(_POLL_S)


def _end(processes: Sequence[Process]) -> None:
    for process in processes:
        if process.poll() is None:
            process.kill()
        process.wait()
        if process.stdin is not None:
            process.stdin.close()


def _cause(processes: Sequence[Process], folder: Path, out: Path, began_s: float) -> TrainingError:
    """Return the error that explains the others: a process that only misses its peers explains nothing."""
    reports = [_report(folder, rank) for rank in range(len(processes))]
    told = [report for report in reports if report is not None and report.kind != LostProcessError.__name__]
    if told:
        first = told[0]
        if first.signal_number:
            return StoppedError(first.signal_number, first.sentence.removeprefix("stopped; "))
        return ConfigError(first.sentence) if first.kind == ConfigError.__name__ else TrainingError(first.sentence)
    rank, code = next(
        ((rank, process.returncode) for rank, process in enumerate(processes) if reports[rank] is None),
        (0, processes[0].returncode),
    )
    how = f"was killed by {signal.Signals(-code).name}" if code < 0 else f"ended with status {code}"
    return TrainingError(f"process {rank} of {len(processes)} {how}; {kept(out, began_s)}")


def _report(folder: Path, rank: int) -> Report | None:
    path = report_file(folder, rank)
    return Report(**json.loads(path.read_text())) if path.is_file() else None
