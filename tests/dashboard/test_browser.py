"""The page in a real browser over the real server: a photograph goes in, overlay, latency and provenance come out."""

import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import cv2
import numpy as np
import pytest
from chromium import CHROMIUM, WAIT_MS, chromium, overlay_of, share_of_green, upload
from doors import OFFLINE, ROOT, Launched, Stages
from loopback import await_answer
from playwright.sync_api import Browser, Page, expect

from serving.runtime import free_ports

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="no chromium on this machine"),
]


@contextmanager
def dashboard(folder: Path, *words: str) -> Iterator[str]:
    """The dashboard on a free port, in a folder of its own that must stay empty; its address."""
    (port,) = free_ports(1)
    folder.mkdir()
    log = folder.with_suffix(".log")
    command = [sys.executable, "-m", "streamlit", "run", str(ROOT / "clients" / "dashboard" / "app.py")]
    with log.open("wb") as said:
        process = subprocess.Popen(
            [*command, "--server.port", str(port), "--", *words],
            cwd=folder,
            env=OFFLINE | {"TMPDIR": str(folder)},
            stdout=said,
            stderr=subprocess.STDOUT,
        )
    try:
        url = f"http://127.0.0.1:{port}"
        await_answer(f"{url}/_stcore/health", process, log, timeout_s=60)
        yield url
    finally:
        process.terminate()
        process.wait(30)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as found:
        yield found


@pytest.fixture
def photograph(stages: Stages, tmp_path: Path) -> Path:
    """A held-out picture, padded with noise to a file of more than 1 MiB, which a server may put on a disk."""
    picture = cv2.imread(str(sorted((stages.model / "held_out" / "images").iterdir())[0]))
    large = cv2.resize(picture, (900, 900)).astype(np.int16)
    noise = np.random.default_rng(7).integers(-4, 5, large.shape)
    path = tmp_path / "photograph.png"
    cv2.imwrite(str(path), np.clip(large + noise, 0, 255).astype(np.uint8))
    assert path.stat().st_size > 1_100_000
    return path


def test_a_photograph_is_uploaded_and_explained(
    browser: Browser, served_default: Launched, photograph: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "folder"
    with dashboard(folder, "--url", served_default.grpc) as url:
        page = browser.new_page(viewport={"width": 1440, "height": 1100})
        asked = _hosts(page)
        page.goto(url)
        upload(page, photograph)
        expect(page.get_by_text(re.compile(r"Vessel covers \d+\.\d%"))).to_be_visible(timeout=WAIT_MS)
        expect(page.get_by_text(re.compile(r"^\d+ ms$"))).to_be_visible()
        expect(page.get_by_text("Network and its queue")).to_be_visible()
        expect(page.get_by_text("vessels, version 1")).to_be_visible()
        expect(page.get_by_text(_weights(served_default))).to_be_visible()
        before = overlay_of(page)
        assert share_of_green(before[0]) > 0.005
        page.screenshot(path=tmp_path / "dashboard.png")
        page.get_by_role("slider").first.press("Home")
        page.wait_for_function(
            "old => document.querySelector('[data-testid=stImage] img').getAttribute('src') !== old", arg=before[1]
        )
        assert (before[0] != overlay_of(page)[0]).mean() > 0.01, "the overlay does not follow its slider"
        assert (tmp_path / "dashboard.png").stat().st_size > 100_000
        assert not list(folder.iterdir()), "something was written"
        assert asked <= {"127.0.0.1"}
        page.close()


def test_the_live_view_sees_the_server_and_a_fault_is_one_sentence(
    browser: Browser, served_default: Launched, photograph: Path, tmp_path: Path
) -> None:
    broken = tmp_path / "broken.png"
    broken.write_bytes(photograph.read_bytes()[:2000])
    with dashboard(tmp_path / "folder", "--url", served_default.grpc) as url:
        page = browser.new_page()
        page.goto(f"{url}/?view=Service+and+drift")
        expect(page.get_by_text(re.compile(r"^(\d+) of \1$"))).to_be_visible(timeout=WAIT_MS)
        page.get_by_role("tab", name="Picture").click()
        upload(page, broken)
        expect(page.get_by_text("refused by model 'vessels'")).to_be_visible(timeout=WAIT_MS)
        assert page.get_by_text("Traceback").count() == 0
        page.close()


def _hosts(page: Page) -> set[str]:
    asked: set[str] = set()
    page.on("request", lambda request: asked.add(request.url.partition("://")[2].partition(":")[0]))
    return asked


def _weights(server: Launched) -> str:
    from fovea_client import Client

    with Client(server.grpc) as client:
        return str(client.describe("vessels").provenance["weights_sha256"])[:12]
