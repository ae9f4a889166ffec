"""Pictures kept for labelling: a bounded folder of those that the network was least sure of. Never unless asked for.

    policy.json        what may be kept; without it nothing is, a minute after it goes
    pending/<key>      a picture between the steps of its request
    kept/<id>/         image, mask.png of a segmentation, sample.json: whole or not there

Pictures may be personal data: the folder is its owner's alone, and what is kept goes by age, by number and by name.
"""

import fcntl
import json
import logging
import math
import os
import secrets
import shutil
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, fields
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from tasks.errors import TaskError

_LOG = logging.getLogger(__name__)
_UNKNOWN = "unknown"  # the task of a folder that does not describe itself
_NEVER_S = 1e11  # no date of four digits
_PENDING_S, _MOST_PENDING = 120.0, 16
_REREAD_S = 60.0


class SamplesError(TaskError):
    """A folder of samples that cannot be used, or a sample that is not there."""


@dataclass(frozen=True)
class Policy:
    """What may be kept.

    Attributes:
        candidates_per_hour: pictures of a task that are considered, whatever the load.
        max_images: kept at once; a more uncertain one takes the place of the least uncertain, and tasks share equally.
        max_mb: of all that is kept, in 10^6 bytes.
        days: after which a picture goes.
    """

    candidates_per_hour: float = 60.0
    max_images: int = 200
    max_mb: float = 500.0
    days: float = 30.0

    def __post_init__(self) -> None:
        """Refuse values that bound nothing.

        Raises:
            SamplesError: one that is not a number above 0.
        """
        for name, value in asdict(self).items():
            if not _is_number(value) or value <= 0:
                raise SamplesError(f"{name} is {value!r} and must be a number above 0")


@dataclass(frozen=True)
class Sample:
    """A picture that was kept.

    Attributes:
        id: its folder's name: 16 hexadecimal digits, drawn; says nothing of the picture or its sender.
        task: that was asked.
        kept_s: when, seconds since 1970.
        uncertainty: 0 sure to 1 a guess: the prediction's entropy.
        statistics: `tasks.statistics.prediction_statistics`.
        label: class name of a classification.
        bytes: on disk.
    """

    id: str
    task: str
    kept_s: float
    uncertainty: float
    statistics: dict[str, float]
    label: str | None
    bytes: int

    @property
    def kept(self) -> str:
        """Return when, as ISO time."""
        return datetime.fromtimestamp(self.kept_s, UTC).isoformat(timespec="seconds")


class Samples:
    """The folder, as the steps of a request and `python -m monitoring samples` use it.

    The policy is read again once a minute: where it is gone, nothing more is kept, and each process says so once.

    Args:
        folder: that `enable` made.
        clock: seconds that never fall.

    Raises:
        SamplesError: there is no readable policy in the folder.
    """

    def __init__(self, folder: Path, clock: Callable[[], float] = time.monotonic) -> None:
        self.folder, self._clock = folder, clock
        self._kept, self._pending = folder / "kept", folder / "pending"
        self.policy, self._allowed, self._reread_s = _read_policy(folder), True, clock() + _REREAD_S
        self._next_s: dict[str, float] = {}

    def offer(self, data: bytes, key: str) -> bool:
        """Hold an encoded picture until `judge`, if it is time for one of its task; return whether it is held.

        Args:
            data: PNG, JPEG or another that the task takes.
            key: the task, a hyphen, and what no other picture of it has.

        Raises:
            OSError: the folder cannot be written.
        """
        now_s, task = self._clock(), key.rpartition("-")[0]
        if not self._may_keep():
            return False
        if now_s < self._next_s.get(task, 0.0) or not self._turn(task):
            return False
        self._next_s[task] = now_s + self._pause_s()
        if self._drop_pending() >= _MOST_PENDING:
            return False
        partial = self._pending / f".{key}"
        _write(partial, data)
        partial.rename(self._pending / key)
        return True

    def judge(
        self,
        key: str,
        task: str,
        statistics: dict[str, float],
        mask: npt.NDArray[np.uint8] | None = None,
        label: str | None = None,
    ) -> Sample | None:
        """Keep the picture that is held under the key with what was predicted, if it is among the most uncertain.

        Raises:
            OSError: the folder cannot be written.
        """
        held, name = self._pending / key, secrets.token_hex(8)
        if not self._may_keep():
            held.unlink(missing_ok=True)
            return None
        partial = self._kept / f".{name}"
        partial.mkdir(mode=0o700)
        try:
            held.rename(partial / "image")
            if mask is not None:
                _write(partial / "mask.png", cv2.imencode(".png", mask)[1].tobytes())
            size = sum(path.stat().st_size for path in partial.iterdir())
            sample = Sample(name, task, time.time(), statistics["entropy"], statistics, label, size)
            _write(partial / "sample.json", json.dumps(asdict(sample), indent=2).encode())
            partial.rename(self._kept / name)
        finally:
            shutil.rmtree(partial, ignore_errors=True)
        return None if name in self.prune(wait=False) else sample

    def holds(self, key: str) -> bool:
        """Return whether a picture is held under the key."""
        return (self._pending / key).exists()

    def all(self) -> list[Sample]:
        """Return what is kept, the most uncertain first; a folder that does not describe itself counts as sure."""
        found = [_read(Path(each)) for each in os.scandir(self._kept) if _is_sample(each)]
        return sorted((sample for sample in found if sample), key=lambda sample: -sample.uncertainty)

    def delete(self, name: str) -> None:
        """Remove one sample.

        Raises:
            SamplesError: there is none of that name.
        """
        with self._alone():
            if name not in [sample.id for sample in self.all()]:
                raise SamplesError(f"{self.folder} has no sample {name!r}; `monitoring samples list` names them")
            self._remove(name)

    def prune(self, *, wait: bool = True) -> list[str]:
        """Remove what is too old, then the least uncertain beyond the limits; return their names.

        Args:
            wait: for a process that removes at this moment; else it is left to that one.
        """
        try:
            gone = self._shorten(wait)
        except BlockingIOError:
            return []
        self._drop_pending()
        return gone

    def _shorten(self, wait: bool) -> list[str]:
        with self._alone(wait):
            samples, oldest_s = _by_place(self.all()), time.time() - self.policy.days * 86_400
            gone = [sample.id for sample in samples if sample.kept_s < oldest_s]
            count, total = 0, 0
            for sample in (each for each in samples if each.kept_s >= oldest_s):
                if count < self.policy.max_images and total + sample.bytes <= self.policy.max_mb * 1e6:
                    count, total = count + 1, total + sample.bytes
                else:
                    gone.append(sample.id)
            for name in gone:
                self._remove(name)
            self._sweep()
        return gone

    def _remove(self, name: str) -> None:
        """Rename it first: a removal that is cut short leaves no half of a picture that is listed."""
        gone = self._kept / f".{secrets.token_hex(8)}"
        with suppress(FileNotFoundError):
            (self._kept / name).rename(gone)
            shutil.rmtree(gone)

    def _may_keep(self) -> bool:
        """Return whether the policy allows it, as of a minute ago at most."""
        if (now_s := self._clock()) >= self._reread_s:
            self._reread_s = now_s + _REREAD_S
            try:
                self.policy = _read_policy(self.folder)
                self._switch(True, f"samples are kept again in {self.folder}")
            except SamplesError as error:
                self._switch(False, f"no sample is kept any more: {error}")
                with suppress(OSError):  # the folder may be gone as well
                    self._drop_pending()
        return self._allowed

    def _switch(self, allowed: bool, said: str) -> None:
        """Say what has changed: who withdrew the policy sees that it was heard, who lost it that it is gone."""
        if allowed != self._allowed:
            _LOG.warning(said)
        self._allowed = allowed

    def _pause_s(self) -> float:
        return 3600 / self.policy.candidates_per_hour

    def _turn(self, task: str) -> bool:
        """Return whether no process had a candidate of the task lately; steps have several processes."""
        descriptor = os.open(self.folder / f".turn-{task}", os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            last_s, now_s = _seconds(os.read(descriptor, 32)), time.time()
            if 0 <= now_s - last_s < self._pause_s():
                return False
            # Every digit: what is rounded up lies ahead, and the next process would take it for a clock set back.
            os.pwrite(descriptor, f"{now_s!r:<20}".encode(), 0)
        except BlockingIOError:
            return False
        finally:
            os.close(descriptor)
        return True

    def _drop_pending(self) -> int:
        """Remove pictures whose request ended otherwise, and return how many are still held."""
        oldest_s, left = time.time() - _PENDING_S, 0
        for path in self._pending.iterdir():
            with suppress(FileNotFoundError):  # judged meanwhile
                if path.stat().st_mtime >= oldest_s:
                    left += 1
                else:
                    path.unlink()
        return left

    def _sweep(self) -> None:
        """Remove what a process that was killed left unfinished."""
        for path in self._kept.glob(".*/"):
            with suppress(FileNotFoundError):  # finished meanwhile
                if path.stat().st_mtime < time.time() - _PENDING_S:
                    shutil.rmtree(path, ignore_errors=True)

    @contextmanager
    def _alone(self, wait: bool = True) -> Iterator[None]:
        handle = os.open(self._kept, os.O_RDONLY)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)
            yield
        finally:
            os.close(handle)


def enable(folder: Path, policy: Policy) -> Samples:
    """Make the folder, open to its owner alone, and write what may be kept; return it.

    Raises:
        SamplesError: it cannot be written, belongs to another user, or holds other files.
    """
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        _refuse_foreign(folder)
        for path in (folder, folder / "kept", folder / "pending"):
            path.mkdir(mode=0o700, parents=True, exist_ok=True)
            path.chmod(0o700)
        partial = folder / ".policy.json"
        _write(partial, json.dumps(asdict(policy), indent=2).encode())
        partial.rename(folder / "policy.json")
    except OSError as error:
        raise SamplesError(f"{folder} cannot keep samples ({error}); name another folder") from error
    return Samples(folder)


def _seconds(said: bytes) -> float:
    """Return the time that is written, or long ago where none is: a disk that was full leaves zero bytes."""
    try:
        return float(said)
    except ValueError:
        return 0.0


def _refuse_foreign(folder: Path) -> None:
    """Refuse what may be in use for something else: its mode changes, and files in it are removed."""
    if folder.stat().st_uid != os.geteuid():
        raise SamplesError(f"{folder} belongs to another user; name a folder of your own")
    if not (folder / "policy.json").exists() and any(folder.iterdir()):
        raise SamplesError(f"{folder} holds other files; name a folder that is empty or not there")


def _read_policy(folder: Path) -> Policy:
    try:
        return Policy(**json.loads((folder / "policy.json").read_text()))
    except (OSError, ValueError, TypeError, SamplesError) as error:
        said = f"{folder} keeps no samples ({error}); allow it with `python -m monitoring samples enable {folder}`"
        raise SamplesError(said) from error


def _write(path: Path, data: bytes) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)


def _by_place(samples: list[Sample]) -> list[Sample]:
    """Sort by the place within the task: entropies of different tasks say nothing of each other."""
    places: Counter[str] = Counter()
    ranks: dict[str, tuple[bool, int]] = {}
    for sample in samples:
        ranks[sample.id] = sample.task == _UNKNOWN, places[sample.task]
        places[sample.task] += 1
    return sorted(samples, key=lambda sample: ranks[sample.id])


def _is_sample(entry: os.DirEntry[str]) -> bool:
    return not entry.name.startswith(".") and entry.is_dir(follow_symlinks=False)


def _read(folder: Path) -> Sample | None:
    try:
        kept_s = folder.stat().st_mtime
        size = sum(path.stat().st_size for path in folder.iterdir())
    except OSError:
        return None  # deleted meanwhile
    return _described(folder) or Sample(folder.name, _UNKNOWN, kept_s, 0.0, {}, None, size)


def _described(folder: Path) -> Sample | None:
    try:
        found: dict[str, Any] = json.loads((folder / "sample.json").read_text())
        sample = Sample(**{each.name: found[each.name] for each in fields(Sample)} | {"id": folder.name})
    except (OSError, ValueError, TypeError, KeyError):
        return None
    numbers = all(_is_number(value) for value in (sample.kept_s, sample.uncertainty, sample.bytes))
    dated = numbers and 0 <= sample.kept_s < _NEVER_S
    return sample if dated and isinstance(sample.task, str) else None


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and math.isfinite(value)
