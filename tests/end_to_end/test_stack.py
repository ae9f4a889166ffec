"""`python -m pipelines stack` on an empty folder, from an upload in the browser to the decision to train anew."""

import json
import re
import shutil
import signal
import subprocess
import sys
import time
import urllib.parse
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from chromium import CHROMIUM, WAIT_MS, chromium, overlay_of, share_of_green, upload
from doors import OFFLINE, ROOT, door
from fovea_client import Client
from frozen_set import from_another_camera, frozen_set
from loopback import get
from playwright.sync_api import Page, expect

from pipelines.champion import adopt, promote
from pipelines.stack.ports import USUAL

MISSING = [name for name in ("prometheus", "prometheus-node-exporter") if shutil.which(name) is None]
MISSING += [] if CHROMIUM else ["chromium"]
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(bool(MISSING), reason=f"the stack cannot be tested here: install Debian's {', '.join(MISSING)}"),
]
TASK = "vessels"
START_S = 300.0
# Enough to be trained, exported and judged; far too little to be as good as the champion.
TRAINING = ["trainer=smoke", "trainer.epochs=1", "network.widths=[8,8,8]", "trainer.crops_per_epoch=8"]
TRAINING += ["tracking=none", "data.folds=3"]


class Stack:
    """The stack as `make stack` starts it, on ports of its own."""

    def __init__(self, build: Path) -> None:
        self.build = build
        words = [f"--port={name}=0" for name in USUAL]
        self.said = build.with_suffix(".out")
        with self.said.open("wb") as said:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "pipelines", "stack", "--build", str(build), *words],
                cwd=ROOT,
                env=OFFLINE,
                stdout=said,
                stderr=subprocess.STDOUT,
            )

    def wait(self) -> None:
        deadline_s = time.monotonic() + START_S
        file = self.build / "stack" / "services.json"
        while not file.exists():
            assert self.process.poll() is None, self.said.read_text()
            assert time.monotonic() < deadline_s, self.said.read_text()
            time.sleep(0.2)
        self.services: dict[str, dict[str, Any]] = json.loads(file.read_text())

    def address(self, name: str) -> str:
        return str(self.services[name]["address"])

    def family(self) -> list[psutil.Process]:
        return [psutil.Process(self.process.pid), *psutil.Process(self.process.pid).children(recursive=True)]

    def stop(self, number: signal.Signals) -> int:
        if self.process.poll() is None:
            self.process.send_signal(number)
        return self.process.wait(90)


@pytest.fixture
def stack(tmp_path: Path) -> Iterator[Stack]:
    started = Stack(tmp_path / "build")
    try:
        yield started
    finally:
        started.stop(signal.SIGTERM)


def test_from_an_upload_to_a_decision(stack: Stack, tmp_path: Path) -> None:
    usual = _drawn(tmp_path / "usual")  # while the stack starts
    frozen_set(tmp_path, subjects=2)
    stack.wait()
    drawn = stack.build / "data" / "synthetic" / "images"
    champion = _champion(stack.build, tmp_path)

    with chromium() as browser:
        page = browser.new_page(viewport={"width": 1440, "height": 1100})
        _upload(page, stack.address("dashboard"), next(usual.iterdir()))
        _until(stack, f'nv_inference_request_success{{model="{TASK}"}}', 1)
        _until(stack, f'sum(fovea_request_seconds_count{{task="{TASK}"}})', 1)

        referenced = _monitoring(stack, "reference", "--images", str(drawn))
        assert referenced.returncode == 0, referenced.stderr
        assert _drift(stack, usual).returncode == 0, "drift where nothing is planted"
        _until(stack, f'max(fovea_drift_alarm{{task="{TASK}"}})', 0)

        shifted = from_another_camera(usual, tmp_path / "shifted")
        with Client(stack.address("triton")) as client:
            for picture in shifted.iterdir():
                client.segment(picture, task=TASK)
        _until(stack, f'sum(fovea_request_seconds_count{{task="{TASK}"}})', 1 + len(list(shifted.iterdir())))
        found = _drift(stack, shifted)
        assert found.returncode == 1, found.stderr
        _until(stack, f'fovea_drift_alarm{{task="{TASK}",kind="input"}}', 1)
        _until(stack, 'ALERTS{alertname="FoveaDrift",alertstate="firing",kind="input"}', 1)
        page.goto(f"http://{stack.address('dashboard')}/?view=Service+and+drift")
        expect(page.get_by_text(re.compile(r"drift: \d+ of \d+ tests alarm"))).to_be_visible(timeout=WAIT_MS)

    decision = _decision(stack, champion, tmp_path)
    assert (decision["trigger"], decision["outcome"]) == ("drift", "refused")
    assert decision["reason"].startswith("drift in 12 images: ")
    assert decision["champion"] == champion.resolve().name

    assert get(f"http://{stack.address('mlflow')}/version").startswith(b"3.")
    family = stack.family()
    assert {"tritonserver", "prometheus"} <= {process.name() for process in family}
    assert stack.stop(signal.SIGINT) == 0, stack.said.read_text()
    assert [process for process in family if process.is_running()] == []
    assert not (stack.build / "stack" / "services.json").exists()


def _drawn(root: Path) -> Path:
    made = door("training", "synthesise", "--root", str(root), "--subjects", "6", "--seed", "5")
    assert made.returncode == 0, made.stdout + made.stderr
    return root / "images"


def _champion(build: Path, folder: Path) -> Path:
    """What the stack serves, promoted."""
    link = folder / "champions" / "model_repository"
    promote(adopt(build / "model_repository", link), link, expected=None, why="the first")
    return link


def _upload(page: Page, address: str, photograph: Path) -> None:
    page.goto(f"http://{address}")
    upload(page, photograph)
    expect(page.get_by_text(re.compile(r"Vessel covers \d+\.\d%"))).to_be_visible(timeout=WAIT_MS)
    assert share_of_green(overlay_of(page)[0]) > 0.005


def _monitoring(stack: Stack, command: str, *words: str) -> subprocess.CompletedProcess[str]:
    return door("monitoring", command, "--task", TASK, "--release", str(stack.build / "model_repository"), *words)


def _drift(stack: Stack, images: Path) -> subprocess.CompletedProcess[str]:
    places = ["--out", str(stack.build / "drift" / TASK)]
    places += ["--textfile", str(stack.build / "metrics" / f"fovea_drift_{TASK}.prom")]
    return _monitoring(stack, "drift", "--images", str(images), *places)


def _until(stack: Stack, expression: str, value: float) -> None:
    """Return once Prometheus says so: every five seconds the server counts, and Prometheus looks."""
    deadline_s = time.monotonic() + 60
    query = urllib.parse.urlencode({"query": expression})
    while True:
        answer = json.loads(get(f"http://{stack.address('prometheus')}/api/v1/query?{query}"))
        values = [float(series["value"][1]) for series in answer["data"]["result"]]
        if values == [value]:
            return
        assert time.monotonic() < deadline_s, f"{expression} is {values}, not {value}"
        time.sleep(0.5)


def _decision(stack: Stack, champion: Path, folder: Path) -> dict[str, str]:
    """Train, judge and decide because of the drift report; the only decision there is."""
    places = {"run": folder / "run", "data": folder / "usual", "test-set": folder / "test_set", "champion": champion}
    words = [word for name, place in places.items() for word in (f"--{name}", str(place))]
    words += [f"--training={word}" for word in TRAINING] + ["--ingest=folds=3", "--no-latency", "--trigger=drift"]
    called = door("pipelines", "retrain", *words, "--drift-report", str(stack.build / "drift" / TASK / "drift.json"))
    assert called.returncode == 3, called.stdout + called.stderr
    (record,) = (champion.parent / "decisions").iterdir()
    return dict(json.loads(record.read_text()))
