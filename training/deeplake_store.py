"""The only place that knows Deep Lake: datasets are written, versioned, verified and read back here.

Importing Deep Lake starts its error reporting, so this module is imported only where a dataset is opened. Its metadata
are not versioned: what belongs to a version stands under that version's tag.
"""

import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import deeplake
import numpy as np

from tasks import Kind, TaskSpec
from training.errors import DataError
from training.samples import Labelled, Sample
from training.sources.layout import OnProgress, counted
from training.stored_rows import HELD_OUT_CODES, Version, assignment_digest, is_intact, row_of

_BATCH_ROWS = 16
_HELD_OUT = {code: held_out for held_out, code in HELD_OUT_CODES.items()}


def versions(path: Path) -> dict[str, Version]:
    """Return the versions of a dataset by tag, the newest last.

    Raises:
        DataError: it cannot be opened, or `ingest` did not write it.
    """
    recorded = _recorded(_open_fresh(path), path)
    return {tag: Version(**fields) for tag, fields in recorded.items()}


def history_length(path: Path) -> int:
    """Return how many commits a dataset has.

    Raises:
        DataError: it cannot be opened.
    """
    return len(list(_open_fresh(path).history))


def create(path: Path, kind: Kind, *, field_of_view: bool) -> None:
    """Make an empty dataset with the columns that pictures of this kind need."""
    deeplake.create(str(path), schema=_schema(kind, field_of_view=field_of_view)).commit("columns")


def has_columns(path: Path, kind: Kind, *, field_of_view: bool) -> bool:
    """Return whether a dataset has just those columns.

    Raises:
        DataError: it cannot be opened.
    """
    return set(columns(_open_fresh(path))) == set(_schema(kind, field_of_view=field_of_view))


def write(
    path: Path, samples: Sequence[Sample], task: TaskSpec, version: Version, on_progress: OnProgress | None
) -> None:
    """Make the rows of a dataset those samples, commit, and tag the version. Rows that stay the same are not rewritten.

    Raises:
        DataError: a sample cannot be read.
    """
    dataset = deeplake.open(str(path))
    new = _keep_unchanged(dataset, samples)
    batch: list[dict[str, object]] = []
    for sample in counted(new, on_progress):
        batch.append(row_of(sample, task))
        if len(batch) == _BATCH_ROWS or sample is new[-1]:
            dataset.append({name: [row[name] for row in batch] for name in batch[0]})
            batch.clear()
    _record(dataset, version)
    dataset.commit(f"{version.tag}: {version.rows} pictures for {version.task} from {version.source}")
    dataset.tag(version.tag)
    if len(_open_fresh(path)) != version.rows:
        raise DataError(f"{path} has not the {version.rows} rows that were written; check the disk and ingest again")


def add_tag(path: Path, version: Version) -> None:
    """Give the newest version one more name, without a commit."""
    dataset = deeplake.open(str(path))
    _record(dataset, version)
    dataset.tag(version.tag)


def read(path: Path, task: TaskSpec, tag: str | None = None) -> list[Sample]:
    """Return the samples of a dataset, sorted by name, with the folds they were given.

    Args:
        path: of the dataset.
        task: that it was ingested for.
        tag: of the version; the newest if None.

    Raises:
        DataError: no such dataset or version, an incomplete one, or one of another task.
    """
    known = versions(path)
    if tag is not None and tag not in known:
        raise DataError(f"{path} has no version {tag}; it has {', '.join(known)}")
    version = known[tag] if tag else list(known.values())[-1]
    if version.task != task.name:
        raise DataError(f"{path} was ingested for {version.task} and not for {task.name}; ingest it for this task")
    dataset = _handle(path, tag)
    if len(dataset) != version.rows:
        raise DataError(f"{path} has {len(dataset)} rows and {version.rows} were ingested; remove it and ingest again")
    return sorted(_samples(dataset, path, tag), key=lambda sample: sample.name)


def verify(path: Path, task: TaskSpec, on_progress: OnProgress | None = None) -> list[str]:
    """Re-hash the newest version against what was recorded when it was written and return what is damaged.

    Returns:
        names of rows whose content differs or cannot be read; a sentence where names, labels or folds were changed.

    Raises:
        DataError: the dataset cannot be opened at all.
    """
    samples = read(path, task)
    recorded = {str(name): str(digest) for name, digest in _column_values(_handle(path), "name", "row_digest")}
    damaged = [sample.name for sample in counted(samples, on_progress) if not is_intact(sample, task, recorded)]
    if assignment_digest(samples) != list(versions(path).values())[-1].assignment_digest:
        damaged.append("the names, subjects, labels or folds differ from those ingested")
    return damaged


def query(url: str) -> Any:
    """Return the rows of a dataset of the third format, local or on the hub, as version 4 can read it: by a query.

    Raises:
        DataError: it cannot be reached or read.
    """
    try:
        return deeplake.query(f'select * from "{url}"')  # noqa: S608 - the caller's own folder or hub
    except Exception as error:
        raise DataError(
            f"{url} cannot be read ({str(error).splitlines()[0]}): it needs the network and an Activeloop account "
            "(ACTIVELOOP_TOKEN); or get DRIVE from its publisher and ingest the folder with source=drive"
        ) from error


def columns(rows: Any) -> list[str]:
    """Return the names of the columns."""
    return [column.name for column in rows.schema.columns]


def _schema(kind: Kind, *, field_of_view: bool) -> dict[str, Any]:
    text = deeplake.types.Text()
    schema: dict[str, Any] = {"image": deeplake.types.Image("uint8", "png")}
    schema |= dict.fromkeys(("name", "subject", "digest", "row_digest"), text)
    schema |= {"fold": deeplake.types.Int32(), "held_out": deeplake.types.Int8()}
    if kind is Kind.CLASSIFICATION:
        schema["label"] = deeplake.types.ClassLabel("uint8")
    else:
        schema["mask"] = deeplake.types.SegmentMask("uint8", "lz4")
    if field_of_view:
        schema["field_of_view"] = deeplake.types.BinaryMask("lz4")
    return schema


def _keep_unchanged(dataset: Any, samples: Sequence[Sample]) -> list[Sample]:
    """Remove the rows that are no longer wanted, move those whose fold changed, and return what has to be added."""
    wanted = {_identity(sample): sample for sample in samples}
    stored = [_identity(sample) for sample in _samples(dataset, Path(), None)]
    # From the end: a removal moves up what is below it.
    for index in reversed(range(len(stored))):
        if stored[index] not in wanted:
            dataset.delete(index)
    kept = [identity for identity in stored if identity in wanted]
    for index, identity in enumerate(kept):
        fold = wanted[identity].fold
        if int(dataset["fold"][index]) != fold:
            dataset[index]["fold"] = fold
    known = set(kept)
    return [sample for identity, sample in wanted.items() if identity not in known]


def _identity(sample: Sample) -> tuple[object, ...]:
    return sample.name, sample.subject, sample.digest, sample.label, sample.held_out


def _samples(dataset: Any, path: Path, tag: str | None) -> Iterator[Sample]:
    with_label = "label" in columns(dataset)
    names = ("name", "subject", "digest", "fold", "held_out", "label" if with_label else "fold")
    for index, (name, subject, digest, fold, held_out, label) in enumerate(_column_values(dataset, *names)):
        yield Sample(
            name=str(name),
            subject=str(subject),
            digest=str(digest),
            read=partial(_read_row, path, tag, index),
            label=int(label) if with_label else None,
            held_out=_HELD_OUT[int(held_out)],
            fold=int(fold),
        )


def _column_values(dataset: Any, *names: str) -> Iterator[tuple[Any, ...]]:
    if not len(dataset):
        return iter(())
    return zip(*(dataset[name][:] for name in names), strict=True)


def _read_row(path: Path, tag: str | None, index: int) -> Labelled:
    dataset = _handle(path, tag)
    present = set(columns(dataset))
    try:
        row = dataset[index]
        encoded = bytes(dataset["image"].get_bytes(index))
        mask = np.array(row["mask"], dtype=np.uint8) if "mask" in present else None
        view = np.array(row["field_of_view"], dtype=np.bool_) if "field_of_view" in present else None
    # Deep Lake raises whatever the damaged chunk led it to.
    except Exception as error:
        raise DataError(f"row {index} of {path} cannot be read ({error}); ingest the data again") from error
    return Labelled(encoded, ".png", mask, view)


def _handle(path: Path, tag: str | None = None) -> Any:
    """An open dataset, kept: opening takes longer than reading a row."""
    # A dataset that was ingested anew lies in a new folder of the same name.
    folder = path.stat().st_ino if path.exists() else 0
    return _open(path, os.getpid(), folder, tag)


# Handles do not survive a fork, so a data loader's processes open their own.
@lru_cache(maxsize=8)
def _open(path: Path, process: int, folder: int, tag: str | None) -> Any:
    del process, folder
    return _open_fresh(path, tag)


def _open_fresh(path: Path, tag: str | None = None) -> Any:
    try:
        return deeplake.open_read_only(f"{path}@{tag}" if tag else str(path))
    except Exception as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise DataError(
            f"{path} cannot be opened as a Deep Lake 4 dataset ({reason}); ingest the data again"
        ) from error


def _recorded(dataset: Any, path: Path) -> dict[str, Any]:
    if "versions" not in dataset.metadata:
        raise DataError(f"{path} was not written by `python -m training ingest`; ingest the data into another folder")
    return dict(json.loads(dataset.metadata["versions"]))


def _record(dataset: Any, version: Version) -> None:
    known = json.loads(dataset.metadata["versions"]) if "versions" in dataset.metadata else {}
    dataset.metadata["versions"] = json.dumps(known | {version.tag: asdict(version)})
    # The same in the open, for those who look at the dataset with Deep Lake's own tools.
    for name in ("task", "source", "classes", "folds", "data_digest"):
        dataset.metadata[name] = getattr(version, name)
