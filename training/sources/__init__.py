"""Labelled pictures wherever they lie, read into one list of samples: one module a layout.

`SOURCES` is the registry: a new layout is a module and a line here. A Deep Lake dataset that `ingest` wrote is read by
`training.deeplake_store`, which is imported only then.
"""

import hashlib
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from tasks import TaskSpec
from training.errors import DataError
from training.samples import Sample
from training.sources.chase_db1 import CHASE_DB1
from training.sources.class_folders import CLASS_FOLDERS
from training.sources.drive import DRIVE
from training.sources.drive_hub import DRIVE_HUB
from training.sources.dubai_aerial import DUBAI_AERIAL
from training.sources.landcover_ai import LANDCOVER_AI, LANDCOVER_AI_OFFICIAL
from training.sources.layout import OnProgress, Reading, Source
from training.sources.stare import STARE
from training.sources.stored import is_stored, read_stored

SOURCES: dict[str, Source] = {
    "chase_db1": CHASE_DB1,
    "drive": DRIVE,
    "drive_hub": DRIVE_HUB,
    "stare": STARE,
    "class_folders": CLASS_FOLDERS,
    "dubai_aerial": DUBAI_AERIAL,
    "landcover_ai": LANDCOVER_AI,
    "landcover_ai_official": LANDCOVER_AI_OFFICIAL,
}
STORED = "deeplake"
_REMOTE = frozenset({"drive_hub"})


def read_samples(root: Path, task: TaskSpec, source: str | None = None) -> list[Sample]:
    """Return the samples of a data folder, sorted by name; see `read_source`.

    Raises:
        DataError: as `read_source`.
    """
    return read_source(root, task, source).samples


def read_source(
    root: Path, task: TaskSpec, source: str | None = None, on_progress: OnProgress | None = None
) -> Reading:
    """Return the samples of a data folder, sorted by name, and what was left out.

    Args:
        root: a published folder, or a Deep Lake dataset (`<path>` or `<path>@<tag>`).
        task: whose labels are read.
        source: a key of `SOURCES`, or `deeplake`; the layout is recognised if None.
        on_progress: told after each picture that was listed and digested.

    Raises:
        DataError: no such folder, no known layout, one that does not fit the task, or an incomplete folder.
    """
    if source not in (None, STORED, *SOURCES):
        raise DataError(f"there is no source {source!r}; the sources are: {', '.join((*SOURCES, STORED))}")
    if source == STORED or (source is None and is_stored(root)):
        return Reading(read_stored(root, task))
    name = source or _recognise(root, task)
    chosen = SOURCES[name]
    if chosen.kind is not task.kind:
        raise DataError(f"source {name} holds pictures for {chosen.kind}; task {task.name} is a {task.kind}")
    if name not in _REMOTE:
        _check_folder(root)
    return _checked(chosen.read(root, task, on_progress), root, chosen)


def recognised_source(root: Path, task: TaskSpec, source: str | None = None) -> str:
    """Return the name of the source that `read_source` would use.

    Raises:
        DataError: no such folder, or no layout is recognised.
    """
    return source or (STORED if is_stored(root) else _recognise(root, task))


def data_digest(samples: Sequence[Sample]) -> str:
    """Return the SHA-256 over names and digests: equal data give an equal digest wherever they lie."""
    lines = sorted(f"{sample.name} {sample.digest}\n" for sample in samples)
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def _recognise(root: Path, task: TaskSpec) -> str:
    _check_folder(root)
    fitting = {name: source for name, source in SOURCES.items() if source.kind is task.kind}
    for name, source in fitting.items():
        if source.recognises(root):
            return name
    expected = "; ".join(f"{name}: {source.expects}" for name, source in fitting.items())
    raise DataError(f"{root} has no layout that {task.name} is read from; expected is one of {expected}")


def _check_folder(root: Path) -> None:
    if not root.is_dir():
        raise DataError(f"there is no data folder {root}; name one with data.root=<folder>")


def _checked(reading: Reading, root: Path, source: Source) -> Reading:
    if not reading.samples:
        raise DataError(f"{root} has no labelled pictures; check that it was unpacked completely ({source.expects})")
    repeated = [name for name, count in Counter(sample.name for sample in reading.samples).items() if count > 1]
    if repeated:
        raise DataError(f"{root} has two pictures of the name {repeated[0]}; rename one of them and its labels")
    return Reading(sorted(reading.samples, key=lambda sample: sample.name), reading.remarks)


__all__ = [
    "SOURCES",
    "OnProgress",
    "Reading",
    "Source",
    "data_digest",
    "read_samples",
    "read_source",
    "recognised_source",
]
