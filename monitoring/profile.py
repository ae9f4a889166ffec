"""A reference profile on disk: what pictures looked like to the network when it was released.

FOLDER/reference.json          what it is of, and the digest of its table
       reference-<digest>.npz  the figures of each picture, plain arrays; no picture and no picture's name

It lies beside the releases and not inside one: a release's bytes are sealed by its SHA256SUMS.
"""

import hashlib
import io
import json
import zipfile
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pydantic

from monitoring.errors import ProfileError
from monitoring.network import Network
from monitoring.output import write_whole
from monitoring.pictures import Figures
from tasks import TaskSpec
from tasks.statistics import INPUT_STATISTICS, prediction_names

FILE_NAME = "reference.json"
VERSION = 1
MAX_HEADER_BYTES = 1024 * 1024
MAX_TABLE_BYTES = 256 * 1024 * 1024
_COLUMNS = {"input": 2, "prediction": 2, "label": 1, "embedding": 2, "performance": 2}


class Header(pydantic.BaseModel):
    """What `reference.json` says. Digests are SHA-256; `release` is that of a whole release, `network` of its file."""

    model_config = pydantic.ConfigDict(extra="forbid", frozen=True)

    version: int
    task: str
    created: datetime
    release: str
    network: str
    layer: str
    images: int
    labelled: int
    input: tuple[str, ...]
    prediction: tuple[str, ...]
    table: str = pydantic.Field(pattern="^[0-9a-f]{64}$")


@dataclass(frozen=True)
class Reference:
    """A profile: what it is of, the figures of its pictures, and performance, float64 (labelled pictures, 2)."""

    header: Header
    figures: Figures
    performance: npt.NDArray[np.float64]


def default_folder(release: Path, digest: str, task: str) -> Path:
    """Return where the profile of a release lies: `references/<digest>/<task>` beside the link to the release."""
    return release.parent / "references" / digest[:16] / task


def write_reference(folder: Path, network: Network, figures: Figures, performance: npt.NDArray[np.float64]) -> Header:
    """Write a profile: after a kill the folder holds the former one or the new one. Raises OutputError."""
    table = _packed({**vars(figures), "performance": performance})
    header = Header(
        version=VERSION,
        task=network.task.name,
        created=datetime.now(UTC).replace(microsecond=0),
        release=network.release,
        network=network.sha256,
        layer=network.layer,
        images=len(figures),
        labelled=len(performance),
        input=INPUT_STATISTICS,
        prediction=prediction_names(network.task),
        table=hashlib.sha256(table).hexdigest(),
    )
    kept = folder / _table_name(header)
    write_whole(kept, table)
    write_whole(folder / FILE_NAME, header.model_dump_json(indent=2) + "\n")
    for former in set(folder.glob("reference-*.npz")) - {kept}:
        former.unlink(missing_ok=True)
    return header


def read_reference(folder: Path, task: TaskSpec) -> Reference:
    """Return the profile of a task in a folder.

    Raises:
        ProfileError: there is none, it is of another task or version, or it is not what was written.
    """
    header = _read_header(folder, task)
    path = folder / _table_name(header)
    try:
        data = _bounded(path, MAX_TABLE_BYTES)
        if hashlib.sha256(data).hexdigest() != header.table:
            raise ProfileError(f"{path} is not the table that {FILE_NAME} is of; {_again(task)}")
        columns = _unpacked(data)
        return Reference(header, _figures(columns, header), columns["performance"])
    except (OSError, ValueError, KeyError, TypeError, zipfile.BadZipFile) as error:
        raise ProfileError(f"{path} cannot be read ({error}); {_again(task)}") from None


def _read_header(folder: Path, task: TaskSpec) -> Header:
    path = folder / FILE_NAME
    if not path.is_file():
        raise ProfileError(f"there is no {path}; {_again(task)}")
    try:
        header = Header.model_validate(json.loads(_bounded(path, MAX_HEADER_BYTES)))
    except (OSError, ValueError) as error:
        raise ProfileError(f"{path} cannot be read ({_first_line(error)}); {_again(task)}") from None
    expected = (VERSION, task.name, INPUT_STATISTICS, prediction_names(task))
    if (header.version, header.task, header.input, header.prediction) != expected:
        raise ProfileError(
            f"{path} is of {header.task}, version {header.version}, and {task.name}, version {VERSION}, is "
            f"asked for with the statistics of today; {_again(task)}"
        )
    return header


def _again(task: TaskSpec) -> str:
    return f"make it with `python -m monitoring reference --task {task.name}`."


def _first_line(error: Exception) -> str:
    return " ".join(str(error).split())[:200]


def _bounded(path: Path, limit: int) -> bytes:
    with path.open("rb") as file:
        data = file.read(limit + 1)
    if len(data) > limit:
        raise ValueError(f"it is over {limit:,} bytes")
    return data


def _table_name(header: Header) -> str:
    return f"reference-{header.table[:16]}.npz"


def _packed(columns: dict[str, Any]) -> bytes:
    buffer = io.BytesIO()
    np.savez(buffer, **columns)
    return buffer.getvalue()


def _unpacked(data: bytes) -> dict[str, npt.NDArray[Any]]:
    with zipfile.ZipFile(io.BytesIO(data)) as packed:
        if sum(entry.file_size for entry in packed.infolist()) > MAX_TABLE_BYTES:
            raise ValueError(f"it unpacks to over {MAX_TABLE_BYTES:,} bytes")
    with np.load(io.BytesIO(data), allow_pickle=False) as arrays:
        columns = {name: np.asarray(arrays[name]) for name in _COLUMNS}
    for name, axes in _COLUMNS.items():
        if columns[name].ndim != axes or not np.isfinite(columns[name]).all():
            raise ValueError(f"{name} is no finite array of {axes} axes")
    return columns


def _figures(columns: dict[str, npt.NDArray[Any]], header: Header) -> Figures:
    figures = Figures(*(columns[name] for name in ("input", "prediction", "label", "embedding")))
    rows = {len(columns[name]) for name in ("input", "prediction", "label", "embedding")}
    widths = (figures.input.shape[1], figures.prediction.shape[1])
    if rows != {header.images} or widths != (len(header.input), len(header.prediction)):
        raise ValueError("its arrays do not fit together")
    return figures
