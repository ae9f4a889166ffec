"""A release: hand-written configurations + artefacts + provenance + checksums, immutable, swapped in at one stroke."""

import json
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from export.errors import PlaceError
from tasks.checksums import list_checksums, verify_checksums, write_checksums
from tasks.errors import ChecksumError

PROVENANCE = "provenance.json"
_CONFIGURATIONS = Path(__file__).parents[1] / "model_repository"
_VERSION = "1"


def place(task: str, artefacts: Mapping[str, Path], provenance: Mapping[str, Any], to: Path) -> Path:
    """Assemble a release beside `to`, then let `to` point to it. A kill leaves the old release or the new one.

    Args:
        task: whose folders of the model repository belong to the release.
        artefacts: file name in the network's version folder → file.
        provenance: what `provenance.json` says; the SHA-256 of every file is added.
        to: a path that does not exist yet or that an earlier call made.

    Returns:
        the release's own folder, `releases/<digest>` beside `to`.

    Raises:
        PlaceError: `to` is something else, or the folder cannot be written.
    """
    if to.exists() and not to.is_symlink():
        raise PlaceError(f"{to} exists and is not a placed release; move it away or name another folder with to=")
    releases = to.parent / "releases"
    partial = releases / f".partial-{os.getpid()}"
    try:
        releases.mkdir(parents=True, exist_ok=True)
        shutil.rmtree(partial, ignore_errors=True)
        digest = _assemble(partial, task, artefacts, provenance)
        release = _adopt(partial, releases / digest[:16])
        _point(to, release)
    except OSError as error:
        raise PlaceError(f"the release cannot be written to {to.parent}: {error}") from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return release


def verify(release: Path) -> dict[str, Any]:
    """Re-hash a release and return its provenance.

    Raises:
        PlaceError: a file is changed, missing or not listed, or the provenance is not readable.
    """
    try:
        verify_checksums(release)
        found: dict[str, Any] = json.loads((release / PROVENANCE).read_text())
    except (ChecksumError, OSError, ValueError) as error:
        raise PlaceError(str(error)) from error
    return found


def _assemble(folder: Path, task: str, artefacts: Mapping[str, Path], provenance: Mapping[str, Any]) -> str:
    for model in (task, f"{task}_preprocess", f"{task}_network", f"{task}_postprocess"):
        shutil.copytree(_CONFIGURATIONS / model, folder / model, ignore=shutil.ignore_patterns("__pycache__"))
    version = folder / f"{task}_network" / _VERSION
    version.mkdir(exist_ok=True)
    for file_name, source in artefacts.items():
        shutil.copyfile(source, version / file_name)
    content = dict(provenance) | {"files": list_checksums(folder)}
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
