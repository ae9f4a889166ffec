"""The champion as a link to one of the releases beside it: replaced at one stroke, so that there always is one."""

import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pipelines.champion.journal import Entry, append, before, read_journal, rolled_back
from pipelines.errors import PipelineError, RefusedError
from tasks.checksums import verify_checksums
from tasks.errors import ChecksumError

RELEASES = "releases"
# As export names them.
_NAME_LENGTH = 16


def current(link: Path) -> Path | None:
    """Return the champion's own folder; None where there is none yet.

    Raises:
        PipelineError: `link` is no link to a release.
    """
    if not link.is_symlink() and not link.exists():
        return None
    release = _named(link)
    if not release.is_dir():
        raise PipelineError(
            f"the champion {release.name} is gone from {release.parent}; roll back to the one before it"
        )
    return release


def _named(link: Path) -> Path:
    """Return where the link points to, whether anything is there or not."""
    releases = (link.parent / RELEASES).resolve()
    if not link.is_symlink() or link.resolve().parent != releases:
        raise PipelineError(f"{link} is no link to one of {releases}; name the one that `pipelines promote` makes")
    return link.resolve()


def name_of(release: Path) -> str:
    """Return the name of a release, the beginning of the digest of its content, having read all of it.

    Raises:
        PipelineError: it is not what was placed.
    """
    try:
        return verify_checksums(release)[:_NAME_LENGTH]
    except (ChecksumError, OSError) as error:
        raise PipelineError(str(error)) from error


def adopt(candidate: Path, link: Path) -> Path:
    """Copy a release beside the champion's and return its folder there; it is whole or not there.

    Raises:
        PipelineError: the candidate is not what was placed, or cannot be copied.
    """
    source = candidate.resolve()
    target = link.parent / RELEASES / name_of(source)
    with _alone(link):
        try:
            if link.is_symlink() and _named(link) == target.resolve() and not _whole(target):
                raise PipelineError(
                    f"the champion {target.name} is damaged, and serves; roll back before anything else"
                )
            if not (target.exists() and _whole(target)):
                _copy(source, target)
        except OSError as error:
            raise PipelineError(f"release {source} cannot be taken beside {link}: {error}") from error
    return target


def _copy(source: Path, target: Path) -> None:
    # What a killed call left half done is in the way of nobody else: the lock is held.
    partial = target.with_name(".adopting")
    shutil.rmtree(partial, ignore_errors=True)
    shutil.copytree(source, partial, ignore=shutil.ignore_patterns("__pycache__"))
    if name_of(partial) != target.name:
        raise PipelineError(f"{source} changed while it was copied; nothing was promoted")
    for path in (*(path for path in partial.rglob("*") if path.is_file()), partial):
        _to_disk(path)
    shutil.rmtree(target, ignore_errors=True)
    partial.rename(target)
    _to_disk(target.parent)


def promote(
    release: Path, link: Path, *, expected: str | None, why: str, verdict: Path | None = None, again: bool = False
) -> Entry:
    """Let the champion be `release`, which lies beside it, and return what the journal says of it.

    Args:
        release: as `adopt` returns it.
        link: the champion.
        expected: name of the release that the judgement compared with; another one has come since is an error.
        why: for the journal.
        verdict: likewise.
        again: whether a release that was rolled back may come again.

    Raises:
        RefusedError: the release was rolled back.
        PipelineError: the champion is another one than expected, or nothing can be written there.
    """
    with _alone(link):
        champion = current(link)
        name = champion.name if champion else None
        if name != expected:
            raise PipelineError(f"the champion is {name} and the judgement compared with {expected}; judge anew")
        taken_back = rolled_back(read_journal(link.parent), release.name)
        if taken_back is not None and not again:
            raise RefusedError(f"{release.name} was rolled back at {taken_back.at}: {taken_back.why}")
        return _swap(link, release, Entry("promoted", release.name, name, why, str(verdict) if verdict else None))


def roll_back(link: Path, why: str) -> Entry:
    """Let the champion be the release that was it before the present one, and return what the journal says of it.

    Raises:
        PipelineError: there is none, or it is not what was placed.
    """
    if not link.is_symlink():
        raise PipelineError(f"there is no champion at {link}")
    with _alone(link):
        champion = _named(link)
        former = champion.with_name(before(read_journal(link.parent), champion.name))
        if name_of(former) != former.name:
            raise PipelineError(f"{former} holds another release than its name says; the champion stays")
        return _swap(link, former, Entry("rolled_back", former.name, champion.name, why))


def _swap(link: Path, release: Path, entry: Entry) -> Entry:
    beside = link.with_name(f".{link.name}-{os.getpid()}")
    try:
        append(link.parent, entry)
        beside.unlink(missing_ok=True)
        beside.symlink_to(Path(RELEASES) / release.name)
        beside.replace(link)
        _to_disk(link.parent)
    except OSError as error:
        raise PipelineError(f"the champion at {link} cannot be changed: {error}") from error
    return entry


def _to_disk(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _whole(release: Path) -> bool:
    try:
        return name_of(release) == release.name
    except PipelineError:
        return False


@contextmanager
def _alone(link: Path) -> Iterator[None]:
    """Wait for others who promote, roll back or export here: the lock is the one that `export` takes."""
    releases = link.parent / RELEASES
    try:
        releases.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(releases, os.O_RDONLY)
    except OSError as error:
        raise PipelineError(f"{releases} cannot be used: {error}") from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
