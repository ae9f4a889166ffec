"""The sidebar: which endpoint, which task, which picture. All views work on this choice."""

from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

import streamlit as st
from fovea_client import FoveaError, Tls

from fovea_dashboard.cards import chip, name_of
from fovea_dashboard.endpoint import Endpoint, ServedTask, sentence
from fovea_dashboard.errors import PictureError
from fovea_dashboard.pictures import SUFFIXES
from fovea_dashboard.settings import Settings

_ASKED_AGAIN_S = 10
_MAX_SAMPLES = 500
PRIVACY = "Pictures stay in this page's memory and go to the endpoint, nowhere else. Nothing is written to disk."


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture that was uploaded or chosen: its name and its file's bytes."""

    name: str
    data: bytes

    @property
    def digest(self) -> str:
        """SHA-256 of the bytes."""
        return sha256(self.data).hexdigest()


@dataclass(frozen=True, slots=True)
class Choice:
    """What the sidebar says.

    Attributes:
        name, endpoint: whom to ask.
        task: what to ask for; None while the endpoint cannot say what it serves.
        picture: what to ask about; None before one is chosen.
        trouble: why there is no task, a sentence, or "".
    """

    name: str
    endpoint: Endpoint
    task: ServedTask | None
    picture: Picture | None
    trouble: str


@st.cache_resource(max_entries=16, show_spinner=False)
def connect(address: str, timeout_s: float, _tls: Tls | None = None) -> Endpoint:
    """The one connection to this address; raises FoveaError when the address cannot be used."""
    return Endpoint(address, timeout_s, _tls)


@st.cache_data(ttl=_ASKED_AGAIN_S, show_spinner=False)
def served(_endpoint: Endpoint, address: str) -> dict[str, ServedTask]:  # noqa: ARG001 - the key of the cache
    """What the endpoint serves, asked every few seconds; an error is asked again at once."""
    return _endpoint.tasks()


def choose(settings: Settings) -> Choice:
    """Draw the sidebar; raises PictureError when a sample cannot be read."""
    with st.sidebar:
        st.html('<p class="fovea-big">Fovea</p><p class="fovea-under">Not for clinical use</p>')
        names = list(settings.endpoints)
        name = st.selectbox("Endpoint", names, key="endpoint") if len(names) > 1 else names[0]
        endpoint = connect(settings.endpoints[name], settings.timeout_s, settings.tls)
        task, trouble = _task(endpoint, name)
        picture = _picture(settings.samples)
        st.caption(PRIVACY)
    return Choice(name, endpoint, task, picture, trouble)


def _task(endpoint: Endpoint, name: str) -> tuple[ServedTask | None, str]:
    status = st.empty()
    try:
        tasks = served(endpoint, endpoint.address)
    except FoveaError as error:
        status.html(chip("does not answer", "bad"))
        return None, sentence(error)
    if not tasks:
        status.html(chip("serves no task", "bad"))
        return None, f"{name} answers, but no task is ready there; look at Service."
    status.html(chip(f"answers at {endpoint.address}", "good"))
    chosen = st.selectbox("Task", list(tasks), format_func=name_of, key="task")
    return tasks[chosen], ""


def _picture(samples: Path | None) -> Picture | None:
    paths = _sample_paths(str(samples)) if samples else []
    if paths and st.segmented_control("Picture", ["Upload", "Sample"], default="Upload", key="source") == "Sample":
        chosen = st.selectbox("Sample", paths, format_func=lambda path: path.name, key="sample")
        return _read(chosen)
    file = st.file_uploader("Upload a picture", type=list(SUFFIXES), key="picture")
    return Picture(file.name, file.getvalue()) if file is not None else None


@st.cache_data(ttl=_ASKED_AGAIN_S, show_spinner=False)
def _sample_paths(folder: str) -> list[Path]:
    found = (path for path in sorted(Path(folder).rglob("*")) if path.suffix.lower().lstrip(".") in SUFFIXES)
    return [path for path, _ in zip((path for path in found if path.is_file()), range(_MAX_SAMPLES), strict=False)]


def _read(path: Path) -> Picture:
    try:
        return Picture(path.name, path.read_bytes())
    except OSError as error:
        raise PictureError(f"The sample {path.name} cannot be read ({error.strerror}); choose another.") from error
