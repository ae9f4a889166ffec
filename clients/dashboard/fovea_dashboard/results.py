"""What came of a batch: rows for the page, a CSV and a zip to take away, all in memory."""

import csv
import io
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import PurePath

import numpy as np
from fovea_client import Classification, FoveaError, Outcome, Segmentation, encode_png

from fovea_dashboard.endpoint import Answer, sentence

_FORMULA = ("=", "+", "-", "@", "\t", "\r")


@dataclass(frozen=True, slots=True)
class Row:
    """One picture's line.

    Attributes:
        picture: its name, one of its own in the batch.
        failure: why there is no answer, a sentence, or "".
        elapsed_ms: milliseconds that the answer took, None without one.
        label: the class of a classification, else "".
        shares: share of the picture, or probability, by class, 0 to 1.
    """

    picture: str
    failure: str = ""
    elapsed_ms: float | None = None
    label: str = ""
    shares: dict[str, float] = field(default_factory=dict)


class Results:
    """Takes outcomes one after the other and packs their files at once, so that no answer is held twice."""

    def __init__(self) -> None:
        self.rows: list[Row] = []
        self._packed = io.BytesIO()
        self._zip = zipfile.ZipFile(self._packed, "w", zipfile.ZIP_STORED)  # PNG is compressed already

    def take(self, name: str, outcome: Outcome[Answer]) -> None:
        """Add what came of the picture of this name, which must be the batch's only one."""
        answer = outcome.result
        if answer is None:
            error = outcome.error or FoveaError("no answer")
            self.rows.append(Row(name, failure=sentence(error)))
        elif isinstance(answer, Segmentation):
            self._pack(name, answer)
            self.rows.append(Row(name, elapsed_ms=answer.elapsed_ms, shares=answer.area()))
        else:
            self.rows.append(_classified(name, answer))

    def finish(self) -> bytes:
        """The zip: results.csv and, for masks, a folder of PNG. Call it once, at the end."""
        self._zip.writestr("results.csv", as_csv(self.rows))
        self._zip.close()
        return self._packed.getvalue()

    def _pack(self, name: str, answer: Segmentation) -> None:
        binary = len(answer.classes) == 2
        mask = np.where(answer.mask > 0, np.uint8(255), np.uint8(0)) if binary else answer.mask
        stem = name.replace(".", "_")
        self._zip.writestr(f"masks/{stem}_mask.png", encode_png(mask))
        self._zip.writestr(f"masks/{stem}_probability.png", encode_png(answer.probability))


def distinct_names(names: Sequence[str]) -> list[str]:
    """The files' own names without folders, numbered where two would be one in the zip."""
    taken: set[str] = set()
    distinct = []
    for name in names:
        bare = PurePath(name.replace("\\", "/")).name.lstrip(".") or "picture"
        own, number = bare, 2
        while own.replace(".", "_").lower() in taken:
            own, number = f"{number}_{bare}", number + 1
        taken.add(own.replace(".", "_").lower())
        distinct.append(own)
    return distinct


def as_csv(rows: Sequence[Row]) -> str:
    """The rows as CSV with a heading; a text that a spreadsheet would compute is given an apostrophe in front."""
    classes = list(dict.fromkeys(name for row in rows for name in row.shares))
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(["picture", "status", "elapsed_ms", "label", *classes, "error"])
    for row in rows:
        status = "failed" if row.failure else "done"
        elapsed_ms = "" if row.elapsed_ms is None else f"{row.elapsed_ms:.1f}"
        shares = [f"{row.shares[name]:.6f}" if name in row.shares else "" for name in classes]
        writer.writerow([_plain(row.picture), status, elapsed_ms, _plain(row.label), *shares, _plain(row.failure)])
    return text.getvalue()


def _classified(name: str, answer: Classification) -> Row:
    return Row(name, elapsed_ms=answer.elapsed_ms, label=answer.label, shares=answer.probability)


def _plain(text: str) -> str:
    return f"'{text}" if text.startswith(_FORMULA) else text
