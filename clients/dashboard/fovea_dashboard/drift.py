"""The last drift report of each task, as `python -m monitoring drift --out DIR` leaves it."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from html import escape
from pathlib import Path
from typing import Any

import streamlit as st

from fovea_dashboard import cards
from fovea_dashboard.errors import ReportError

_FILE = "drift.json"
_MAX_BYTES = 8 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class DriftReport:
    """One report.

    Attributes:
        task: whose inputs and predictions were compared with training's.
        created: when.
        window_images: pictures compared.
        alarm: whether any test alarms after correction.
        tests: a row for each test, as the file has it.
    """

    task: str
    created: datetime | None
    window_images: int
    alarm: bool
    tests: Sequence[Mapping[str, Any]]


def read_reports(folder: Path) -> list[DriftReport]:
    """The reports in the folder and in those directly in it, by task; raises ReportError."""
    paths = [folder / _FILE, *sorted(folder.glob(f"*/{_FILE}"))]
    return sorted((_read(path) for path in paths if path.is_file()), key=lambda report: report.task)


def show_drift(folder: Path | None) -> None:
    """The last reports, or how to get one; raises ReportError."""
    st.markdown("#### Drift")
    reports = read_reports(folder) if folder else []
    if not reports:
        where = f"There is no drift report in {folder} yet" if folder else "No folder was given with --drift"
        st.info(f"{where}; `python -m monitoring drift --out DIR` writes one.")
    for report in reports:
        _show(report)


def _read(path: Path) -> DriftReport:
    try:
        if path.stat().st_size > _MAX_BYTES:
            raise ValueError(f"over {_MAX_BYTES:,} bytes")
        found = json.loads(path.read_text())
        tests = [test for test in found.get("tests", []) if isinstance(test, dict)]
        return DriftReport(
            str(found["task"]),
            _time(found.get("created")),
            int(found.get("window_images", 0)),
            bool(found["alarm"]),
            tests,
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ReportError(f"{path} cannot be read ({error}); run `python -m monitoring drift` again.") from error


def _time(text: object) -> datetime | None:
    if not isinstance(text, str):
        return None
    found = datetime.fromisoformat(text)
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def _show(report: DriftReport) -> None:
    alarms = sum(bool(test.get("alarm")) for test in report.tests)
    said = cards.chip(f"drift: {alarms} of {len(report.tests)} tests alarm", "bad") if report.alarm else ""
    said = said or cards.chip("no drift", "good")
    when = f"{report.created:%Y-%m-%d %H:%M} UTC{_age(report.created)}" if report.created else "time unknown"
    name = escape(cards.name_of(report.task))
    under = escape(f"{report.window_images} pictures  ·  {when}")
    st.html(f'<p style="margin:0"><b>{name}</b>&ensp;{said}</p><p class="fovea-under">{under}</p>')
    st.dataframe(_table(report.tests), hide_index=True, width="stretch", column_config=_COLUMNS)


def _age(created: datetime) -> str:
    days = (datetime.now(UTC) - created).days
    return f", {days} days ago" if days > 1 else ""


def _table(tests: Sequence[Mapping[str, Any]]) -> list[dict[str, object]]:
    """The tests, alarms first, then by how far each came to its threshold."""
    rows = [
        {
            "Alarm": "● alarm" if test.get("alarm") else "–",
            "Of": test.get("kind"),
            "Statistic": str(test.get("statistic", "")).replace("_", " "),
            "Method": test.get("method"),
            "Score": _number(test.get("score")),
            "Threshold": _number(test.get("threshold")),
            "Score / threshold": _ratio(test),
            "p": "–" if (p_value := _number(test.get("p_value"))) is None else f"{p_value:.4f}",
        }
        for test in sorted(tests, key=lambda test: (not test.get("alarm"), -(_ratio(test) or 0.0)))
    ]
    return [{name: value for name, value in row.items() if name != "Of" or value} for row in rows]


_COLUMNS = {
    "Score": st.column_config.NumberColumn(format="%.4f"),
    "Threshold": st.column_config.NumberColumn(format="%.4f"),
    "Score / threshold": st.column_config.ProgressColumn(format="%.2f", min_value=0.0, max_value=2.0),
}


def _ratio(test: Mapping[str, Any]) -> float | None:
    score, threshold = _number(test.get("score")), _number(test.get("threshold"))
    return score / threshold if score is not None and threshold else None


def _number(value: object) -> float | None:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None
