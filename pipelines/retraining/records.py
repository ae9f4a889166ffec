"""What a step's result was made from: a key over everything that decides about it, kept beside the result.

A step whose key is the recorded one, and whose files are still those that it wrote, is not run again. So a retraining
that failed, was killed, or is repeated goes on at the first step that has something new to work on.
"""

import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from pipelines.errors import PipelineError
from pipelines.output import write_json
from pipelines.retraining.settings import Settings
from pipelines.retraining.steps import Command, Step
from tasks.checksums import sha256_of

_ROOT = Path(__file__).parents[2]
# Door → the folders whose code decides about what it makes.
_CODE = {
    "training": ("tasks", "training"),
    "export": ("tasks", "training", "export", "model_repository"),
    "pipelines": ("tasks", "serving", "clients/python/fovea_client", "loadtests", "pipelines"),
}
_SOURCES = (".py", ".yaml", ".pbtxt", ".j2")


@dataclass(frozen=True)
class Record:
    """A step that was done.

    Attributes:
        key: of what its result was made from.
        digest: of its result.
        took_s: seconds.
        at: when it ended, ISO 8601, UTC.
    """

    key: str
    digest: str
    took_s: float
    at: str = ""


def read_record(run: Path, name: str) -> Record | None:
    """Return the step's record in a retraining's folder; None if it has none, or none that is readable."""
    try:
        return Record(**json.loads(_file(run, name).read_text()))
    except (OSError, ValueError, TypeError):
        return None


def write_record(run: Path, name: str, record: Record) -> None:
    """Write a step's record, whole or not at all, with the time."""
    at = datetime.now(UTC).isoformat(timespec="seconds")
    write_json(_file(run, name), asdict(record) | {"at": at})


def key_of(step: Step, settings: Settings, run: Path, commands: Sequence[Command]) -> str:
    """Return the key of what the step would make now: its words, what it reads, earlier results, and the code.

    Raises:
        PipelineError: a step that it needs was not done, or what it reads is not there.
    """
    earlier = {name: _result_of(run, name, step) for name in step.needs}
    words = [[word.replace(str(run), "<run>") for word in command] for command in commands]
    read = [_digest(path, step) for path in (*step.reads(settings), *_named_files(commands))]
    code = {door: _code_digest(_CODE[door]) for door in sorted({command[0] for command in commands})}
    return _hash([step.name, earlier, words, read, code])


def digest_of(folder: Path) -> str:
    """Return the digest of all files below a folder, or of a file."""
    if folder.is_file():
        return sha256_of(folder)
    # Linked folders too: data often lies elsewhere.
    files = sorted(Path(at) / name for at, _, names in os.walk(folder, followlinks=True) for name in names)
    found = {str(path.relative_to(folder)): sha256_of(path) for path in files if _counts(path)}
    return _hash(found)


def _counts(path: Path) -> bool:
    return path.is_file() and path.suffix != ".pyc"


def _named_files(commands: Sequence[Command]) -> list[Path]:
    """Return the files that words name, such as one of objectives."""
    words = [word for _, *words in commands for word in words]
    parts = dict.fromkeys(part for word in words for part in (word, word.rpartition("=")[2]))
    # Unlike Path.is_file this takes a long sentence for what it is: no file.
    return [Path(part) for part in parts if os.path.isfile(part)]  # noqa: PTH113


def _result_of(run: Path, name: str, step: Step) -> str:
    record = read_record(run, name)
    if record is None:
        raise PipelineError(f"step {step.name} needs step {name}, which was not done in {run}; run it first")
    return record.digest


def _digest(path: Path, step: Step) -> str:
    if not path.exists():
        raise PipelineError(f"step {step.name} reads {path}, which is not there")
    return digest_of(path.resolve())


def _code_digest(folders: Sequence[str]) -> str:
    files = sorted(
        path for folder in folders for path in (_ROOT / folder).rglob("*") if path.suffix in _SOURCES and path.is_file()
    )
    return _hash({str(path.relative_to(_ROOT)): sha256_of(path) for path in files})


def _hash(content: Mapping[str, object] | Sequence[object]) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def _file(run: Path, name: str) -> Path:
    return run / f"{name}.json"
