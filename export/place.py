"""A release: hand-written configurations + artefacts + provenance + checksums, immutable, swapped in at one stroke.

It holds one or several tasks. Placing a task makes a new release of it and of the other tasks that the old one held.
"""

import fcntl
import json
import os
import re
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from export.errors import PlaceError
from tasks.checksums import list_checksums, read_checksums, sha256_of, verify_checksums, write_checksums
from tasks.errors import ChecksumError

PROVENANCE = "provenance.json"
_CONFIGURATIONS = Path(__file__).parents[1] / "model_repository"
_VERSION = "1"
_MAX_BATCH_SIZE = re.compile(r"^max_batch_size:\s*(\d+)", re.MULTILINE)
_START_ANEW = "remove what points to it and export every task again"
_BYTE_CODE = shutil.ignore_patterns("__pycache__")
# What the endpoint tells of itself; parity and the exporter's tools stay in the file beside it.
_TOLD = ("run_id", "weights_sha256", "data_digest", "metrics", "trained_by", "formats")


def place(task: str, artefacts: Mapping[str, Path], provenance: Mapping[str, Any], to: Path) -> Path:
    """Assemble a release beside `to`, then let `to` point to it. A kill leaves the old release or the new one.

    Args:
        task: whose folders of the model repository are added or replaced.
        artefacts: file name in the network's version folder → file.
        provenance: what `provenance.json` says of the task.
        to: a path that does not exist yet or that an earlier call made; the other tasks there are kept.

    Returns:
        the release's own folder, `releases/<digest>` beside `to`.

    Raises:
        PlaceError: `to` is something else, what it holds of other tasks is damaged, or the folder cannot be written.
    """
    if to.exists() and not to.is_symlink():
        raise PlaceError(f"{to} exists and is not a placed release; move it away or name another folder with to=")
    releases = to.parent / "releases"
    partial = releases / f".partial-{os.getpid()}"
    try:
        releases.mkdir(parents=True, exist_ok=True)
        with _alone(releases):
            shutil.rmtree(partial, ignore_errors=True)
            partial.mkdir()
            others = _keep_other_tasks(to.resolve(), task, partial) if to.exists() else {}
            _add(partial, task, artefacts)
            _tell(partial / task / "config.pbtxt", provenance)
            release = _adopt(partial, releases / _seal(partial, others | {task: provenance})[:16])
            _point(to, release)
    except OSError as error:
        raise PlaceError(f"the release cannot be written to {to.parent}: {error}") from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return release


def verify(release: Path) -> dict[str, Any]:
    """Re-hash a release and return its provenance: `tasks`, by name what each was made from, and `files`.

    Raises:
        PlaceError: a file is changed, missing or not listed, or the provenance is not readable.
    """
    try:
        verify_checksums(release)
        found: dict[str, Any] = json.loads((release / PROVENANCE).read_text())
    except (ChecksumError, OSError, ValueError) as error:
        raise PlaceError(str(error)) from error
    return found


def served_batch(task: str) -> int:
    """Return the largest batch that the task's network is served with, as its configuration says."""
    text = (_CONFIGURATIONS / f"{task}_network" / "config.pbtxt").read_text()
    found = _MAX_BATCH_SIZE.search(text)
    return max(1, int(found.group(1))) if found else 1


def _models(task: str) -> tuple[str, ...]:
    return task, f"{task}_preprocess", f"{task}_network", f"{task}_postprocess"


@contextmanager
def _alone(releases: Path) -> Iterator[None]:
    """Wait for others who place here: of two tasks placed at once, the later must keep the earlier."""
    handle = os.open(releases, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def _keep_other_tasks(current: Path, task: str, folder: Path) -> dict[str, Any]:
    """Copy the folders of every other task and return what they were made from; a damaged one gets no new seal."""
    try:
        listed = read_checksums(current)
        made: dict[str, Any] = json.loads((current / PROVENANCE).read_text())["tasks"]
        others = {name: entry for name, entry in made.items() if name != task}
        kept = [model for name in others for model in _models(name)]
        for model in kept:
            shutil.copytree(current / model, folder / model, ignore=_BYTE_CODE)
        expected = {name: digest for name, digest in listed.items() if name.partition("/")[0] in kept}
        whole = list_checksums(folder) == expected and sha256_of(current / PROVENANCE) == listed[PROVENANCE]
    except (ChecksumError, OSError, ValueError, KeyError, TypeError) as error:
        raise PlaceError(f"the tasks that {current} holds cannot be kept ({error}); {_START_ANEW}") from error
    if not whole:
        raise PlaceError(f"the tasks that {current} holds are not what was placed; {_START_ANEW}")
    return others


def _add(folder: Path, task: str, artefacts: Mapping[str, Path]) -> None:
    for model in _models(task):
        shutil.copytree(_CONFIGURATIONS / model, folder / model, ignore=_BYTE_CODE)
    version = folder / f"{task}_network" / _VERSION
    version.mkdir(exist_ok=True)
    for file_name, source in artefacts.items():
        shutil.copy(source, version / file_name)  # a script stays executable


def _tell(configuration: Path, made: Mapping[str, Any]) -> None:
    """Add to the task's own configuration what it was made from: who calls an endpoint sees no file of the release."""
    told = {name: made[name] for name in _TOLD if name in made}
    if told:
        # JSON in ASCII, quoted as JSON quotes a string, is a string of protobuf's text format as well.
        value = json.dumps(json.dumps(told, sort_keys=True))
        lines = f'\n# Written by the export.\nparameters {{ key: "provenance" value {{ string_value: {value} }} }}\n'
        configuration.write_text(configuration.read_text() + lines)


def _seal(folder: Path, made: Mapping[str, Any]) -> str:
    """Write provenance and checksums and return the digest of the whole content."""
    content = {"tasks": made, "files": list_checksums(folder)}
    (folder / PROVENANCE).write_text(json.dumps(content, indent=2, sort_keys=True) + "\n")
    return write_checksums(folder)


def _adopt(partial: Path, release: Path) -> Path:
    """Give the assembled folder its final name, unless the very same release is there already."""
    if release.exists():
        try:
            verify_checksums(release)
            return release
        except ChecksumError:
            shutil.rmtree(release)
    partial.rename(release)
    return release


def _point(to: Path, release: Path) -> None:
    link = to.with_name(f".{to.name}-{os.getpid()}")
    link.unlink(missing_ok=True)
    link.symlink_to(release.relative_to(to.parent))
    link.replace(to)
