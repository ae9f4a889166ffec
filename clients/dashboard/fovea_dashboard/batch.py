"""Many pictures at once, and their results to take away."""

from collections.abc import Sequence
from dataclasses import dataclass

import streamlit as st
from streamlit.elements.lib.column_types import ColumnConfig
from streamlit.runtime.uploaded_file_manager import UploadedFile

from fovea_dashboard import cards
from fovea_dashboard.choice import Choice
from fovea_dashboard.endpoint import Endpoint, ServedTask
from fovea_dashboard.pictures import SUFFIXES
from fovea_dashboard.results import Results, Row, distinct_names

_MAX_PICTURES = 200
_IN_FLIGHT = 4


@dataclass(frozen=True, slots=True)
class Finished:
    """A batch that was run: of which files and task, its rows, its zip."""

    of: tuple[str, ...]
    rows: list[Row]
    packed: bytes


def show_batch(choice: Choice) -> None:
    """The view; a picture that fails is a row, not an error."""
    if choice.task is None:
        cards.error(choice.trouble)
        return
    files = st.file_uploader(
        f"Upload up to {_MAX_PICTURES} pictures", list(SUFFIXES), accept_multiple_files=True, key="batch_pictures"
    )
    if len(files) > _MAX_PICTURES:
        st.error(f"{len(files)} pictures are more than {_MAX_PICTURES}; upload fewer, or use `fovea segment`.")
        return
    of = (choice.endpoint.address, choice.task.info.name, *(file.file_id for file in files))
    if files and st.button(f"Send {len(files)} to {choice.name}", type="primary", key="run_batch"):
        st.session_state["batch"] = _run(of, choice.endpoint, choice.task, files)
    finished = st.session_state.get("batch")
    if finished is not None and finished.of == of:
        _show(finished, choice.task)
    elif not files:
        st.session_state.pop("batch", None)  # results of pictures that were taken back


def _run(of: tuple[str, ...], endpoint: Endpoint, task: ServedTask, files: Sequence[UploadedFile]) -> Finished:
    names = distinct_names([file.name for file in files])
    progress = st.progress(0.0, f"0 of {len(files)}")
    results = Results()
    outcomes = endpoint.ask_many([file.getvalue() for file in files], task, _IN_FLIGHT)
    for done, (name, outcome) in enumerate(zip(names, outcomes, strict=True), start=1):
        results.take(name, outcome)
        progress.progress(done / len(files), f"{done} of {len(files)}")
    progress.empty()
    return Finished(of, results.rows, results.finish())


def _show(finished: Finished, task: ServedTask) -> None:
    failed = sum(bool(row.failure) for row in finished.rows)
    done = len(finished.rows) - failed
    st.write(f"**{done} answered**" + (f", **{failed} failed**" if failed else ""))
    st.dataframe(_table(finished.rows), hide_index=True, width="stretch", column_config=_columns(task))
    st.download_button(
        "Download masks and CSV" if not task.classifies else "Download CSV",
        finished.packed,
        file_name=f"{task.info.name}_results.zip",
        mime="application/zip",
        icon=":material/download:",
        on_click="ignore",
        key="download_batch",
    )


def _table(rows: Sequence[Row]) -> list[dict[str, object]]:
    failures = any(row.failure for row in rows)
    labels = any(row.label for row in rows)
    table: list[dict[str, object]] = []
    for row in rows:
        label = {"Label": row.label.replace("_", " ")} if labels else {}
        shares = {name: row.shares.get(name) for name in _classes(rows)}
        failure = {"What went wrong": row.failure} if failures else {}
        table.append({"Picture": row.picture, **label, **shares, "ms": row.elapsed_ms, **failure})
    return table


def _classes(rows: Sequence[Row]) -> list[str]:
    return list(dict.fromkeys(name for row in rows for name in row.shares))


def _columns(task: ServedTask) -> dict[str, ColumnConfig]:
    shares = {
        info.name: st.column_config.ProgressColumn(
            info.name.replace("_", " "), format="percent", min_value=0.0, max_value=1.0
        )
        for info in task.info.classes
    }
    return shares | {"ms": st.column_config.NumberColumn("ms", format="%.0f")}
