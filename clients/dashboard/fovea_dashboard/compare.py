"""One picture, two endpoints: two serving profiles, or a release and its successor."""

from dataclasses import dataclass

import streamlit as st
from fovea_client import Classification, Segmentation

from fovea_dashboard import cards
from fovea_dashboard.agreement import agreement, largest_difference
from fovea_dashboard.answers import answer_of
from fovea_dashboard.choice import Choice, connect, served
from fovea_dashboard.endpoint import Answer, ServedTask
from fovea_dashboard.errors import DashboardError
from fovea_dashboard.pictures import (
    ONLY_FIRST,
    ONLY_SECOND,
    OTHER,
    Pixels,
    decode,
    disagreement,
    overlay,
    small,
    small_answer,
)
from fovea_dashboard.provenance import provenance
from fovea_dashboard.settings import Settings

_OPACITY = 0.6


@dataclass(frozen=True, slots=True)
class Side:
    """What one of the two endpoints answered."""

    name: str
    task: ServedTask
    answer: Answer

    @property
    def title(self) -> str:
        """The endpoint's name and what runs its network."""
        return f"{self.name}  ·  {self.task.runs}" if self.task.runs else self.name


def show_compare(settings: Settings, choice: Choice) -> None:
    """The view; raises FoveaError and DashboardError."""
    if len(settings.endpoints) < 2:
        st.info("Start the dashboard with a second --url to compare two profiles or releases.")
        return
    if choice.task is None:
        cards.error(choice.trouble)
        return
    others = [name for name in settings.endpoints if name != choice.name]
    left, right = st.columns(2, gap="medium")
    other = left.selectbox(f"Compare {choice.name} with", others, key="other")
    if choice.picture is None:
        st.info("Upload a picture on the left, or choose a sample.")
        return
    first = Side(choice.name, choice.task, answer_of(choice.endpoint, choice.task, choice.picture))
    second = _other_side(settings, other, choice)
    opacity = (
        0.0
        if choice.task.classifies
        else right.slider("Opacity of the overlays", 0.0, 1.0, _OPACITY, 0.05, key="compare_opacity")
    )
    _show(first, second, small(decode(choice.picture.data, choice.task.info)), opacity)


def _other_side(settings: Settings, name: str, choice: Choice) -> Side:
    assert choice.task is not None  # noqa: S101 - show_compare has looked
    assert choice.picture is not None  # noqa: S101
    endpoint = connect(settings.endpoints[name], settings.timeout_s, settings.tls)
    tasks = served(endpoint, endpoint.address)
    wanted = choice.task.info.name
    if wanted not in tasks:
        raise DashboardError(f"{name} does not serve {wanted}; it serves {', '.join(tasks) or 'no task'}.")
    return Side(name, tasks[wanted], answer_of(endpoint, tasks[wanted], choice.picture))


def _show(first: Side, second: Side, picture: Pixels, opacity: float) -> None:
    if isinstance(first.answer, Segmentation) and isinstance(second.answer, Segmentation):
        _segmentations(first, first.answer, second, second.answer, picture, opacity)
    elif isinstance(first.answer, Classification) and isinstance(second.answer, Classification):
        _classifications(first, first.answer, second, second.answer, picture)
    else:
        raise DashboardError(f"{first.name} and {second.name} answer with different kinds; compare others.")
    for column, side in zip(st.columns(2, gap="medium"), (first, second), strict=True):
        with column:
            cards.card(f"Latency, {side.name}", cards.latency(side.answer))
            cards.card(f"Provenance, {side.name}", provenance(side.answer, side.task))


def _segmentations(
    first: Side, one: Segmentation, second: Side, two: Segmentation, picture: Pixels, opacity: float
) -> None:
    found = agreement(one, two)
    dice = ", ".join(f"{name.replace('_', ' ')} {value:.4f}" for name, value in found.dice.items())
    cards.headline(
        f"{_nearly(found.same)} of the pixels agree",
        f"Dice between the two: {dice}  ·  probability differs by at most {found.largest_difference:.3f}",
    )
    shown, other = small_answer(one), small_answer(two)
    columns = st.columns(3, gap="small")
    for column, side, answer in zip(columns[:2], (first, second), (shown, other), strict=True):
        column.caption(side.title)
        column.image(overlay(picture, answer, opacity), width="stretch", output_format="JPEG")
    columns[2].caption("Where they differ")
    columns[2].image(disagreement(picture, shown.mask, other.mask), width="stretch", output_format="PNG")
    columns[2].html(cards.legend(_colours(first, second)))
    for column, side, answer in zip(st.columns(2, gap="medium"), (first, second), (one, two), strict=True):
        shares = answer.area()
        with column:
            rows = [(info.name, shares[info.name], info.colour) for info in answer.classes]
            cards.card(f"Share of the picture, {side.name}", cards.bars(rows))


def _colours(first: Side, second: Side) -> list[tuple[str, tuple[int, int, int]]]:
    alone = [(f"found by {first.name} alone", ONLY_FIRST), (f"found by {second.name} alone", ONLY_SECOND)]
    return alone if len(first.task.info.classes) == 2 else [*alone, ("another class to each", OTHER)]


def _classifications(first: Side, one: Classification, second: Side, two: Classification, picture: Pixels) -> None:
    agree = one.label == two.label
    cards.headline(
        f"Both say {one.label.replace('_', ' ')}" if agree else "They disagree",
        f"The probability of a class differs by at most {largest_difference(one, two):.4f}",
    )
    columns = st.columns([1, 1, 1], gap="medium")
    columns[0].image(picture, width="stretch", output_format="JPEG")
    for column, side, answer in zip(columns[1:], (first, second), (one, two), strict=True):
        colours = {info.name: info.colour for info in side.task.info.classes}
        with column:
            rows = [(name, value, colours[name]) for name, value in answer.probability.items()]
            cards.card(side.title, cards.bars(rows))


def _nearly(share: float) -> str:
    """All is said of all only."""
    return "All" if share == 1 else f"{min(share, 0.99999):.3%}"
