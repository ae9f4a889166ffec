"""The answers of this visit, so that moving a slider asks no server. They are in memory and end with the visit."""

from collections import OrderedDict
from typing import cast

import streamlit as st

from fovea_dashboard.choice import Picture
from fovea_dashboard.endpoint import Answer, Endpoint, ServedTask

_REMEMBERED = 6

Key = tuple[str, str, str, str]


def answer_of(endpoint: Endpoint, task: ServedTask, picture: Picture) -> Answer:
    """The endpoint's answer, asked for once for each picture and each network; raises FoveaError."""
    remembered = _remembered()
    key = (endpoint.address, task.info.name, str(task.info.provenance.get("weights_sha256")), picture.digest)
    if key not in remembered:
        with st.spinner("Asking the endpoint …"):
            remembered[key] = endpoint.ask(picture.data, task)
        while len(remembered) > _REMEMBERED:
            remembered.popitem(last=False)
    return remembered[key]


def forget() -> None:
    """Ask anew from now on."""
    _remembered().clear()


def _remembered() -> OrderedDict[Key, Answer]:
    return cast(OrderedDict[Key, Answer], st.session_state.setdefault("answers", OrderedDict()))
