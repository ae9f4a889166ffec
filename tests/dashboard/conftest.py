"""The page in Streamlit's own harness, over an endpoint of this process."""

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import streamlit as st
from kserve import serve
from streamlit.testing.v1 import AppTest
from two_tasks import TwoTasks

APP = Path(__file__).parents[2] / "clients" / "dashboard" / "app.py"


@pytest.fixture
def picture() -> np.ndarray:
    """A quarter of it is red, the rest is not."""
    drawn = np.full((20, 40, 3), 30, np.uint8)
    drawn[:10, :20, 0] = 220
    return drawn


@pytest.fixture
def server() -> TwoTasks:
    return TwoTasks()


@pytest.fixture
def address(server: TwoTasks) -> Iterator[str]:
    with serve(server) as served:
        yield served


@pytest.fixture
def page(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., AppTest]]:
    """Opens the page with words after `--`, at a tab."""

    def opened(*words: str, view: str = "Picture", task: str = "vessels") -> AppTest:
        monkeypatch.setattr(sys, "argv", ["app.py", *words])
        app = AppTest.from_file(str(APP), default_timeout=30)
        app.session_state["view"] = view
        app.session_state["task"] = task
        return app.run()

    st.cache_data.clear()
    st.cache_resource.clear()
    yield opened
    st.cache_data.clear()
    st.cache_resource.clear()
