"""One picture and its answer: where, what, how sure, how long it took, what it came from."""

from collections.abc import Sequence
from html import escape

import streamlit as st
from fovea_client import Classification, Segmentation

from fovea_dashboard import cards
from fovea_dashboard.answers import answer_of, forget
from fovea_dashboard.choice import Choice, Picture
from fovea_dashboard.endpoint import ServedTask
from fovea_dashboard.pictures import RAMP_CSS, Pixels, decode, heat, overlay, small, small_answer
from fovea_dashboard.provenance import provenance

_OPACITY = 0.6
_PHOTOGRAPH_WIDTH_PX = 460


def show_analyse(choice: Choice) -> None:
    """The view; raises FoveaError and DashboardError."""
    if choice.task is None:
        cards.error(choice.trouble)
        return
    if choice.picture is None:
        st.info("Upload a picture on the left, or choose a sample.")
        return
    answer = answer_of(choice.endpoint, choice.task, choice.picture)
    picture = decode(choice.picture.data, choice.task.info)
    if isinstance(answer, Segmentation):
        _segmentation(answer, choice.task, choice.picture, picture)
    else:
        _classification(answer, choice.task, choice.picture, picture)
    st.button("Ask again", on_click=forget, icon=":material/refresh:")


def _segmentation(answer: Segmentation, task: ServedTask, chosen: Picture, picture: Pixels) -> None:
    shares = answer.area()
    found = max(list(shares)[1:] or list(shares), key=lambda name: shares[name])
    cards.headline(f"{cards.name_of(found)} covers {cards.percent(shares[found])}", _under(chosen, picture, answer))
    _views(small(picture), small_answer(answer), covers=task.info.kind != "binary_segmentation")
    rows = [(info.name, shares[info.name], info.colour) for info in answer.classes]
    _cards([("Share of the picture", cards.bars(rows))], answer, task)


@st.fragment
def _views(picture: Pixels, answer: Segmentation, *, covers: bool) -> None:
    """Overlay and probability side by side; the slider redraws nothing else."""
    left, right = st.columns(2, gap="medium")
    with left:
        opacity = st.slider("Opacity of the overlay", 0.0, 1.0, _OPACITY, 0.05, key="opacity")
    with right:
        of = "the class shown" if covers else answer.classes[-1].name.replace("_", " ")
        st.html(
            f'<p class="fovea-under" style="margin-bottom:.45rem">Probability of {escape(of)}</p>'
            f'<div style="height:.55rem;border-radius:99px;background:{RAMP_CSS}"></div>'
            '<div class="fovea-scale"><span>0</span><span>0.5</span><span>1</span></div>'
        )
    left, right = st.columns(2, gap="medium")
    left.image(overlay(picture, answer, opacity), width="stretch", output_format="JPEG")
    right.image(heat(answer.probability), width="stretch", output_format="JPEG")


def _classification(answer: Classification, task: ServedTask, chosen: Picture, picture: Pixels) -> None:
    sure = answer.probability[answer.label]
    cards.headline(f"{cards.name_of(answer.label)}, {cards.percent(sure)}", _under(chosen, picture, answer))
    left, right = st.columns([2, 3], gap="medium")
    with left:
        st.image(small(picture), width=min(_PHOTOGRAPH_WIDTH_PX, picture.shape[1] * 2), output_format="JPEG")
    colours = {info.name: info.colour for info in task.info.classes}
    rows = sorted(answer.probability.items(), key=lambda item: -item[1])
    with right:
        cards.card("Probability", cards.bars([(name, value, colours[name]) for name, value in rows]))
        st.caption("The network's own probabilities. It knows these classes and no other.")
        _cards([], answer, task)


def _cards(before: Sequence[tuple[str, str]], answer: Segmentation | Classification, task: ServedTask) -> None:
    shown = [*before, ("Latency", cards.latency(answer)), ("Provenance", provenance(answer, task))]
    for column, (name, html) in zip(st.columns(len(shown), gap="medium"), shown, strict=True):
        with column:
            cards.card(name, html)


def _under(chosen: Picture, picture: Pixels, answer: Segmentation | Classification) -> str:
    height_px, width_px = picture.shape[:2]
    return f"{chosen.name}  ·  {width_px} × {height_px} px  ·  {answer.elapsed_ms:.0f} ms"
