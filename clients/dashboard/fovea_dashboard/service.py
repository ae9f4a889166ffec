"""How the endpoint is at this moment, looked at again every few seconds, and whether its inputs have drifted."""

from collections import deque
from collections.abc import Sequence
from html import escape
from pathlib import Path

import streamlit as st
from fovea_client import FoveaError, ModelStatus
from fovea_client.requests import ModelStatistics

from fovea_dashboard import cards
from fovea_dashboard.choice import Choice
from fovea_dashboard.drift import show_drift
from fovea_dashboard.endpoint import Endpoint, Look, sentence

_EVERY_S = 3
_REMEMBERED = 100


def show_service(choice: Choice, drift: Path | None) -> None:
    """The view; raises ReportError."""
    _live(choice.name, choice.endpoint)
    show_drift(drift)


@st.fragment(run_every=_EVERY_S)
def _live(name: str, endpoint: Endpoint) -> None:
    try:
        look = endpoint.look()
    except FoveaError as error:
        st.html(f'<p class="fovea-big">{escape(name)}&ensp;{cards.chip("does not answer", "bad")}</p>')
        cards.error(sentence(error))
        return
    looks = _looks(endpoint.address)
    looks.append(look)
    state = cards.chip("ready", "good") if look.ready else cards.chip("not ready", "bad")
    st.html(
        f'<p class="fovea-big">{escape(name)}&ensp;{state}</p>'
        f'<p class="fovea-under">{escape(endpoint.address)}  ·  looked at every {_EVERY_S} s</p>'
    )
    _metrics(looks)
    st.dataframe(table(look.models, look.statistics), hide_index=True, width="stretch", column_config=_COLUMNS)


def _metrics(looks: Sequence[Look]) -> None:
    look = looks[-1]
    rates = [rate(before, after) for before, after in zip(looks, list(looks)[1:], strict=False)]
    round_trips_ms = [each.round_trip_ms for each in looks]
    failed = sum(model.failed for model in look.statistics)
    columns = st.columns(4)
    columns[0].metric(
        "Models ready",
        f"{sum(model.ready for model in look.models)} of {len(look.models)}",
        border=True,
        height="stretch",
    )
    columns[1].metric(
        "Requests a second",
        f"{rates[-1]:.1f}" if rates else "–",
        border=True,
        height="stretch",
        chart_data=rates if len(rates) > 1 else None,
        chart_type="area",
    )
    columns[2].metric(
        "Round trip",
        f"{look.round_trip_ms:.1f} ms",
        border=True,
        height="stretch",
        chart_data=round_trips_ms if len(round_trips_ms) > 1 else None,
        chart_type="area",
    )
    columns[3].metric("Failed, in all", f"{failed:,}", border=True, height="stretch")


def rate(before: Look, after: Look) -> float:
    """Requests a second between two looks, counted at the models that others call: no step of another one.

    An ensemble counts a request and each of its steps counts it again, so the largest count of a model is the
    nearest to what callers sent where one task is served; for several tasks their own counts add up.
    """
    counts = {(model.name, model.version): model.requests for model in before.statistics}
    parts = _steps([model.name for model in after.statistics])
    asked = sum(
        max(0, model.requests - counts.get((model.name, model.version), 0))
        for model in after.statistics
        if model.name not in parts
    )
    return asked / max(after.at_s - before.at_s, 1e-6)


def _steps(names: Sequence[str]) -> set[str]:
    """The models that carry another's name and a part's: `vessels_network` beside `vessels`."""
    return {name for name in names for other in names if name.startswith(f"{other}_")}


def table(models: Sequence[ModelStatus], statistics: Sequence[ModelStatistics]) -> list[dict[str, object]]:
    """A row for each model version: its state, how often it was asked, where its time went, in mean milliseconds."""
    known = {(each.name, each.version): each for each in statistics}
    return [_row(model, known.get((model.name, model.version))) for model in models]


def _row(model: ModelStatus, done: ModelStatistics | None) -> dict[str, object]:
    requests = done.requests if done else 0
    each = {
        "Queue": done.queue_ns if done else 0,
        "Compute": done.infer_ns if done else 0,
        "In all": done.total_ns if done else 0,
    }
    return {
        "Model": model.name,
        "Version": model.version or "–",
        "State": " ".join(filter(None, (model.state.lower() or "not loaded", model.reason))),
        "Requests": requests,
        "Failed": done.failed if done else 0,
        **{name: time_ns / requests / 1e6 if requests else None for name, time_ns in each.items()},
    }


_COLUMNS = {
    name: st.column_config.NumberColumn(f"{name}, mean ms", format="%.2f") for name in ("Queue", "Compute", "In all")
}


def _looks(address: str) -> deque[Look]:
    remembered: dict[str, deque[Look]] = st.session_state.setdefault("looks", {})
    return remembered.setdefault(address, deque(maxlen=_REMEMBERED))
