"""A published folder becomes a versioned Deep Lake dataset: split once, searched for duplicates, verifiable for ever.

The dataset is written beside its place and moved there when it is whole. Nothing half written is ever taken for it.
"""

import fcntl
import hashlib
import json
import shutil
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from omegaconf import MISSING, OmegaConf

from tasks import TaskSpec, get_task
from training import deeplake_store
from training.duplicates import Duplicate, find_duplicates, fingerprint, to_drop
from training.errors import ConfigError, DataError
from training.samples import Sample
from training.sources import Reading, data_digest, read_source, recognised_source
from training.sources.layout import counted
from training.sources.stored import is_stored
from training.split import assign_folds
from training.stored_rows import Version, assignment_digest

OnStep = Callable[[str, int, int], None]
"""Told `(what is done, done, total)`."""

_FORMAT = 1
"""Raised whenever the same input gives another dataset."""
_TASKS = Path(__file__).parent / "conf" / "task"
_ON_DUPLICATES = ("report", "refuse", "drop")


@dataclass
class IngestConfig:
    """What `ingest` can be told.

    Attributes:
        task: whose labels are read.
        root: the published folder.
        source: its layout, a key of `training.sources.SOURCES`; recognised if null.
        to: the dataset to write; `build/data/<task>.deeplake` if null.
        tag: of the version; the next of v1, v2, … if null.
        folds: into how many groups the subjects are divided; as the task's configuration says if null.
        seed: how classified subjects are shuffled.
        on_duplicates: `report` them, `refuse` a set whose split they cross or whose labels they contradict, or `drop`.
    """

    task: str = MISSING
    root: str = ""
    source: str | None = None
    to: str | None = None
    tag: str | None = None
    folds: int | None = None
    seed: int = 0
    on_duplicates: str = "report"

    @property
    def path(self) -> Path:
        """Return where the dataset lies."""
        return Path(self.to or f"build/data/{self.task}.deeplake")

    @property
    def fold_count(self) -> int:
        """Return into how many groups the subjects are divided."""
        return int(OmegaConf.load(_TASKS / f"{self.task}.yaml").data.folds) if self.folds is None else self.folds


@dataclass(frozen=True)
class Ingested:
    """What came of it.

    Attributes:
        path: of the dataset.
        version: its newest version.
        changed: whether this call wrote it.
    """

    path: Path
    version: Version
    changed: bool


def ingest(config: IngestConfig, on_step: OnStep | None = None) -> Ingested:
    """Write the folder as a new version of the dataset, unless its newest version holds just that already.

    Raises:
        ConfigError: an option that does not exist.
        DataError: the folder cannot be read as the task's data, its duplicates are refused, or `to` is something else.
    """
    _check(config)
    path, read = config.path, _read(config, on_step)
    with _exclusive(path):
        known = _known_versions(path)
        newest = list(known.values())[-1] if known else None
        if newest and newest.input_digest == read.digest:
            return _unchanged(path, config, newest, known)
        tag = _next_tag(config.tag, known)
        version = _write_version(config, read, tag, on_step)
        _write_report(path, version)
    return Ingested(path, version, True)


def verify(config: IngestConfig, on_step: OnStep | None = None) -> list[str]:
    """Return what is damaged in the newest version of the dataset: names of rows; empty if all is as it was written.

    Raises:
        ConfigError: a version is named.
        DataError: there is no such dataset, or it cannot be opened.
    """
    task, path = get_task(config.task), config.path
    if not is_stored(path):
        raise DataError(
            f"there is no dataset {path}; write it with `python -m training ingest task={task.name} root=…`"
        )
    if config.tag is not None:
        raise ConfigError("--verify re-hashes the newest version; leave tag= out")
    return deeplake_store.verify(path, task, _step(on_step, "verifying"))


def report_path(path: Path) -> Path:
    """Return where the report of a dataset lies: beside it, for people and for DVC."""
    return path.with_suffix(".json")


def _check(config: IngestConfig) -> None:
    if config.on_duplicates not in _ON_DUPLICATES:
        raise ConfigError(f"on_duplicates={config.on_duplicates} is none of {', '.join(_ON_DUPLICATES)}")
    if not config.root and config.source != "drive_hub":
        raise ConfigError("ingest needs root=<folder>: the data as its publisher gives it")
    if not 0 <= config.seed < 2**32:
        raise ConfigError(f"seed={config.seed} must be 0 to {2**32 - 1}")
    if config.tag is not None and not config.tag.replace("-", "").replace("_", "").replace(".", "").isalnum():
        raise ConfigError(f"tag={config.tag!r} is no name for a version; use letters, digits, dots, - and _")


@dataclass(frozen=True)
class _Read:
    """What the folder holds, and a digest over that and what was asked for."""

    reading: Reading
    source: str
    digest: str


def _read(config: IngestConfig, on_step: OnStep | None) -> _Read:
    task, root = get_task(config.task), Path(config.root)
    source = recognised_source(root, task, config.source)
    reading = read_source(root, task, source, _step(on_step, "listing"))
    asked = [_FORMAT, config.task, source, config.fold_count, config.seed, config.on_duplicates]
    digest = hashlib.sha256(f"{asked} {assignment_digest(reading.samples)}".encode()).hexdigest()
    return _Read(reading, source, digest)


def _write_version(config: IngestConfig, read: _Read, tag: str, on_step: OnStep | None) -> Version:
    task = get_task(config.task)
    samples, duplicates = _split(read.reading, task, config, on_step)
    version = _version(config, read, samples, tag, _report(samples, duplicates, read.reading, task))
    _write(config.path, samples, task, version, on_step)
    return version


def _split(
    reading: Reading, task: TaskSpec, config: IngestConfig, on_step: OnStep | None
) -> tuple[list[Sample], list[Duplicate]]:
    """Assign folds and settle the duplicates. Who is dropped is dropped before the folds that are kept."""
    samples = assign_folds(reading.samples, config.fold_count, config.seed)
    prints = [fingerprint(sample, task) for sample in counted(samples, _step(on_step, "looking for duplicates"))]
    duplicates = find_duplicates(prints)
    harmful = [pair for pair in duplicates if pair.crosses or pair.conflict]
    if config.on_duplicates == "refuse" and harmful:
        pair = harmful[0]
        raise DataError(
            f"{len(harmful)} duplicates cross the split or contradict each other, the first {pair.first} and "
            f"{pair.second}; mend the data, or let on_duplicates=drop leave them out"
        )
    if config.on_duplicates == "drop" and (dropped := to_drop(duplicates)):
        kept = [replace(sample, fold=None) for sample in reading.samples if sample.name not in dropped]
        samples = assign_folds(kept, config.fold_count, config.seed)
    return samples, duplicates


def _version(config: IngestConfig, read: _Read, samples: Sequence[Sample], tag: str, report: dict[str, Any]) -> Version:
    return Version(
        tag=tag,
        task=config.task,
        source=read.source,
        classes=[info.name for info in get_task(config.task).classes],
        folds=len({sample.fold for sample in samples}),
        seed=config.seed,
        rows=len(samples),
        data_digest=data_digest(samples),
        assignment_digest=assignment_digest(samples),
        input_digest=read.digest,
        report=report,
    )


def _write(path: Path, samples: Sequence[Sample], task: TaskSpec, version: Version, on_step: OnStep | None) -> None:
    part, previous = _beside(path, "part"), _beside(path, "previous")
    shutil.rmtree(part, ignore_errors=True)
    view = samples[0].read().field_of_view is not None
    if path.exists():
        _check_columns(path, task, field_of_view=view)
        shutil.copytree(path, part)
    else:
        deeplake_store.create(part, task.kind, field_of_view=view)
    deeplake_store.write(part, samples, task, version, _step(on_step, "writing"))
    if path.exists():
        path.rename(previous)
    part.rename(path)
    shutil.rmtree(previous, ignore_errors=True)


def _check_columns(path: Path, task: TaskSpec, *, field_of_view: bool) -> None:
    if not deeplake_store.has_columns(path, task.kind, field_of_view=field_of_view):
        raise DataError(f"{path} was made for another kind of data; give another to=, or remove it")


def _known_versions(path: Path) -> dict[str, Version]:
    if not path.exists():
        return {}
    if not is_stored(path):
        raise DataError(f"{path} is there and is no dataset; give another to=, or remove it")
    return deeplake_store.versions(path)


def _unchanged(path: Path, config: IngestConfig, newest: Version, known: dict[str, Version]) -> Ingested:
    """Nothing is written, unless a new name is asked for the same content."""
    version = known.get(config.tag or newest.tag)
    if version is None:
        version = replace(newest, tag=str(config.tag))
        deeplake_store.add_tag(path, version)
    if version.input_digest != newest.input_digest:
        raise DataError(f"{path} has a version {config.tag} of other content; give another tag=, versions never change")
    _write_report(path, version)
    return Ingested(path, version, False)


def _next_tag(asked: str | None, known: dict[str, Version]) -> str:
    if asked is None:
        return next(tag for number in range(1, len(known) + 2) if (tag := f"v{number}") not in known)
    if asked in known:
        raise DataError(f"the dataset has a version {asked} of other content; give another tag=, versions never change")
    return asked


def _write_report(path: Path, version: Version) -> None:
    head = {"task": version.task, "source": version.source, "version": version.tag, "data_digest": version.data_digest}
    text = json.dumps(head | version.report, indent=2) + "\n"
    if not report_path(path).is_file() or report_path(path).read_text() != text:
        report_path(path).write_text(text)


def _report(
    samples: Sequence[Sample], duplicates: Sequence[Duplicate], reading: Reading, task: TaskSpec
) -> dict[str, Any]:
    return {
        "rows": len(samples),
        "subjects": len({sample.subject for sample in samples}),
        "folds": _balance(samples, task),
        "held_out": sum(bool(sample.held_out) for sample in samples),
        "left_out": list(reading.remarks),
        "dropped": sorted({item.name for item in reading.samples} - {item.name for item in samples}),
        "duplicates_exact": sum(pair.kind == "exact" for pair in duplicates),
        "duplicates_near": sum(pair.kind == "near" for pair in duplicates),
        "duplicates_across_folds": sum(pair.crosses for pair in duplicates),
        "label_conflicts": sum(pair.conflict for pair in duplicates),
        "duplicates": [pair.to_dict() for pair in duplicates],
    }


def _balance(samples: Sequence[Sample], task: TaskSpec) -> list[dict[str, Any]]:
    """Per fold: how many subjects and pictures, and of each class where pictures are classified."""
    table = []
    for fold in sorted({sample.fold for sample in samples if sample.fold is not None}):
        inside = [sample for sample in samples if sample.fold == fold]
        labels = Counter(sample.label for sample in inside)
        row: dict[str, Any] = {"fold": fold, "subjects": len({s.subject for s in inside}), "rows": len(inside)}
        classes = {info.name: labels[index] for index, info in enumerate(task.classes) if None not in labels}
        table.append(row | {"classes": classes})
    return table


def _step(on_step: OnStep | None, what: str) -> Callable[[int, int], None] | None:
    return None if on_step is None else lambda done, total: on_step(what, done, total)


def _beside(path: Path, what: str) -> Path:
    return path.with_name(f".{path.name}.{what}")


@contextmanager
def _exclusive(path: Path) -> Iterator[None]:
    """Let one process write at a time, and put back what a killed one had just moved away."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with _beside(path, "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise DataError(f"another process is ingesting into {path}; wait for it") from error
        if _beside(path, "previous").exists() and not path.exists():
            _beside(path, "previous").rename(path)
        yield
