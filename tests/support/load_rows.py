"""Requests of a load test, one by one as a test writes them, and as the recording that they make."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from loadtests.recorder import RIGHT, ROW, Recording


@dataclass(frozen=True)
class RequestRow:
    index: int
    intended_ns: int
    sent_ns: int
    finished_ns: int
    error: str | None = None


def recording(rows: Sequence[RequestRow]) -> Recording:
    errors = tuple(dict.fromkeys(row.error for row in rows if row.error is not None))
    records = [
        (row.index, row.intended_ns, row.sent_ns, row.finished_ns, 0, _number(row.error, errors)) for row in rows
    ]
    return Recording(np.array(records, ROW), errors)


def _number(error: str | None, errors: tuple[str, ...]) -> int:
    return RIGHT if error is None else errors.index(error)
