"""Where the model does worst: what `python -m training evaluate` left in a folder."""

import json
from pathlib import Path
from typing import Any

import streamlit as st

from fovea_dashboard import cards
from fovea_dashboard.errors import ReportError
from fovea_dashboard.provenance import figures

_CASES = {"worst": "Worst", "median": "Median", "best": "Best"}
_CURVES = {
    "confusion_matrix": "Confusion matrix",
    "reliability": "Reliability",
    "roc_curve": "ROC",
    "precision_recall_curve": "Precision and recall",
}
_SHOWN_ROWS = 50


def show_gallery(folder: Path | None) -> None:
    """The view; raises ReportError."""
    evaluations = find_evaluations(folder) if folder else {}
    if not evaluations:
        where = f"There is no evaluation in {folder}" if folder else "No folder was given with --gallery"
        st.info(f"{where}; `python -m training evaluate` makes one.")
        return
    chosen = st.selectbox("Evaluation", list(evaluations), format_func=cards.name_of, key="evaluation")
    _show(evaluations[chosen], read_metrics(evaluations[chosen]))


def find_evaluations(folder: Path) -> dict[str, Path]:
    """By name the folders that hold an evaluation: this one, or those in it."""
    folders = [folder, *sorted(path for path in folder.iterdir() if path.is_dir())]
    return {path.resolve().name: path for path in folders if (path / "metrics.json").is_file()}


def read_metrics(folder: Path) -> dict[str, Any]:
    """What the evaluation measured; raises ReportError."""
    path = folder / "metrics.json"
    try:
        found = json.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise ReportError(f"{path} cannot be read ({error}); evaluate again.") from error
    if not isinstance(found, dict):
        raise ReportError(f"{path} is no evaluation; evaluate again.")
    return found


def _show(folder: Path, measured: dict[str, Any]) -> None:
    data = measured.get("data")
    data = data if isinstance(data, dict) else {}
    rows = figures(measured["metrics"]) if isinstance(measured.get("metrics"), dict) else []
    best = ", ".join(f"{name.removeprefix('Held-out ')} {value}" for name, value in rows)
    counted = f"{data.get('source', '?')}: pictures {data.get('pictures', '?')}, subjects {data.get('subjects', '?')}"
    cards.headline(best or cards.name_of(folder.name), f"{counted}  ·  {measured.get('command', '')}")
    shown = {title: folder / f"{name}.jpg" for name, title in _CASES.items() if (folder / f"{name}.jpg").is_file()}
    for title, path in shown.items():
        st.markdown(f"#### {title} cases" if len(shown) == 1 else f"#### {title} case")
        st.image(str(path), width="stretch")
    _worst_rows(measured.get("per_image"))
    curves = {title: folder / f"{name}.png" for name, title in _CURVES.items() if (folder / f"{name}.png").is_file()}
    if curves:
        st.markdown("#### Curves")
        for column, (title, path) in zip(st.columns(len(curves)), curves.items(), strict=True):
            column.image(str(path), caption=title, width="stretch")


def _worst_rows(per_image: object) -> None:
    """Every picture's figure, the worst first."""
    rows = [row for row in per_image if isinstance(row, dict)] if isinstance(per_image, list) else []
    key = next((name for name in ("dice", "mean_iou", "probability_of_truth") if rows and name in rows[0]), None)
    if key is None:
        return
    st.markdown("#### Pictures, worst first")
    ordered = sorted(rows, key=lambda row: -1.0 if row.get(key) is None else row[key])[:_SHOWN_ROWS]
    table = [{"Picture": row.get("name"), "Subject": row.get("subject"), key: row.get(key)} for row in ordered]
    bar = st.column_config.ProgressColumn(cards.name_of(key), format="%.3f", min_value=0.0, max_value=1.0)
    st.dataframe(table, hide_index=True, width="stretch", column_config={key: bar})
