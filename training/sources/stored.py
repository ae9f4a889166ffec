"""Deep Lake datasets as a source. The library is imported only if the folder is one: it reports to its maker."""

from pathlib import Path

from tasks import TaskSpec
from training.samples import Sample

_LOG_FOLDER = "_deeplake_log"


def is_stored(root: Path) -> bool:
    """Return whether `root`, which may name a version as `<path>@<tag>`, is a Deep Lake 4 dataset."""
    return (split_version(root)[0] / _LOG_FOLDER).is_dir()


def split_version(root: Path) -> tuple[Path, str | None]:
    """Return folder and tag of `<path>@<tag>`; no tag for a plain path."""
    name, at, tag = root.name.rpartition("@")
    return (root.with_name(name), tag) if at and name and tag and not root.exists() else (root, None)


def read_stored(root: Path, task: TaskSpec) -> list[Sample]:
    """Return the samples of a dataset that `ingest` wrote, with their folds, sorted by name.

    Raises:
        DataError: it is not one, is incomplete, or was written for another task.
    """
    from training import deeplake_store  # noqa: PLC0415

    folder, tag = split_version(root)
    return deeplake_store.read(folder, task, tag)
