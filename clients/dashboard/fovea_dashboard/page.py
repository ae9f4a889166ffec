"""The page: sidebar, tabs, and every error as one sentence."""

from collections.abc import Callable, Sequence

import numpy as np
import streamlit as st
from fovea_client import FoveaError
from PIL import Image

from fovea_dashboard import cards
from fovea_dashboard.analyse import show_analyse
from fovea_dashboard.batch import show_batch
from fovea_dashboard.cards import STYLE
from fovea_dashboard.choice import choose
from fovea_dashboard.compare import show_compare
from fovea_dashboard.endpoint import sentence
from fovea_dashboard.errors import DashboardError
from fovea_dashboard.gallery import show_gallery
from fovea_dashboard.service import show_service
from fovea_dashboard.settings import read_settings
from fovea_dashboard.uploads import keep_in_memory

TABS = ("Picture", "Compare", "Batch", "Worst cases", "Service and drift")


def show(words: Sequence[str]) -> None:
    """Draw the page for the words of the command line after `--`."""
    keep_in_memory()
    st.set_page_config(page_title="Fovea", page_icon=_icon(), layout="wide")
    st.html(STYLE)
    _said(lambda: _page(words))


def _page(words: Sequence[str]) -> None:
    settings = read_settings(words)
    choice = choose(settings)
    views: Sequence[Callable[[], None]] = (
        lambda: show_analyse(choice),
        lambda: show_compare(settings, choice),
        lambda: show_batch(choice),
        lambda: show_gallery(settings.gallery),
        lambda: show_service(choice, settings.drift),
    )
    for tab, view in zip(st.tabs(list(TABS), key="view", on_change="rerun", bind="query-params"), views, strict=True):
        if tab.open:
            with tab:
                _said(view)


def _icon() -> Image.Image:
    """A disc with a bright spot, drawn: the browser would fetch an icon of Streamlit from another server."""
    y, x = np.mgrid[-1:1:32j, -1:1:32j]
    icon = np.full((32, 32, 3), 255, np.uint8)
    icon[x**2 + y**2 < 0.9] = (15, 118, 110)
    icon[(x - 0.3) ** 2 + y**2 < 0.08] = (250, 231, 85)
    return Image.fromarray(icon)


def _said(view: Callable[[], None]) -> None:
    """Draw it, or say in its place what went wrong."""
    try:
        view()
    except DashboardError as error:
        cards.error(str(error))
    except FoveaError as error:
        cards.error(sentence(error))
