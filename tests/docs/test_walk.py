"""README and tutorial, walked word by word in a folder like a fresh checkout; what is shown is what is printed.

The ports of `make serve` and of the dashboard are free ones here: a test must not need 8000 to 8002 and 8501.
"""

import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from doors import door
from loopback import get
from pages import ROOT, Block, blocks
from shown import Checkout, commands_of, kinds
from walked import README, TUTORIAL, Walk

from serving.runtime import free_ports

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1200)]
PAGE = ROOT / "docs" / "tutorial.md"


class Walker:
    """Someone who types what a page shows."""

    def __init__(self, folder: Path) -> None:
        self.checkout = Checkout(folder)
        self.ports = dict(zip(("8000", "8001", "8002", "8501"), map(str, free_ports(4)), strict=True))
        self.printed: dict[str, str] = {}
        self.running: list[subprocess.Popen[str]] = []

    def walk(self, commands: dict[str, Walk]) -> None:
        """Run the commands in their order and keep what each printed."""
        for command, how in commands.items():
            if how.runs_on:
                self.printed[command] = self.start(command)
            else:
                given = how.given | {"127.0.0.1:8001": f"127.0.0.1:{self.ports['8001']}"}
                printed = self.checkout.run(command, given, how.more, how.statuses)
                self.printed[command] = printed.replace(self.ports["8001"], "8001")

    def start(self, command: str) -> str:
        """Start what serves until it is stopped, and return what it says when it is ready."""
        recipe = self.checkout.run(f"make -n {command.removeprefix('make ')}", {})
        for shown in ("8000", "8001", "8002"):
            recipe = recipe.replace(shown, self.ports[shown])
        log = self.checkout.folder / f"{len(self.running)}.log"
        settings = {"STREAMLIT_SERVER_PORT": self.ports["8501"], "STREAMLIT_SERVER_HEADLESS": "true"}
        with log.open("w") as file:
            process = subprocess.Popen(
                ["bash", "-c", f"exec {recipe.strip()}"],
                cwd=self.checkout.folder,
                env=self.checkout.environment | settings,
                stdout=file,
                stderr=subprocess.STDOUT,
                text=True,
            )
        self.running.append(process)
        return self._said(process, log)

    def _said(self, process: subprocess.Popen[str], log: Path) -> str:
        deadline_s = time.monotonic() + 180
        while True:
            said = log.read_text()
            assert process.poll() is None, said
            assert time.monotonic() < deadline_s, said
            if "Ctrl-C stops" in said or "URL: http" in said:
                for shown, port in self.ports.items():
                    said = said.replace(port, shown)
                return said
            time.sleep(0.2)

    def leave(self) -> None:
        """Stop what runs, the last first."""
        for process in reversed(self.running):
            process.send_signal(signal.SIGINT)
            process.wait(60)


@pytest.fixture(scope="module")
def walker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Walker]:
    """One who has walked the tutorial; the servers that it starts are still there."""
    walker = Walker(tmp_path_factory.mktemp("fovea"))
    try:
        walker.walk(TUTORIAL)
        yield walker
    finally:
        walker.leave()


def pairs() -> list[tuple[str, Block]]:
    """Commands of the tutorial with the output that is shown below them."""
    found, last = [], None
    for block in blocks(PAGE):
        if block.kind == "output" and last:
            found.append((last, block))
        last = (commands_of(block) or [None])[-1] if block.kind != "output" else None
    return found


def test_tutorial_leads_to_the_dashboard(walker: Walker) -> None:
    shown = [command for block in blocks(PAGE) for command in commands_of(block)]
    assert [command for command in shown if command in TUTORIAL] == list(TUTORIAL), "the order is the page's"
    masks = list((walker.checkout.folder / "build" / "masks").glob("*.png"))
    pictures = list((walker.checkout.folder / "build" / "data" / "synthetic" / "images").iterdir())
    assert len(masks) >= len(pictures) == 4
    assert get(f"http://127.0.0.1:{walker.ports['8501']}/_stcore/health") == b"ok"


@pytest.mark.parametrize(("command", "block"), pairs(), ids=lambda value: value if isinstance(value, str) else "")
def test_output_is_of_the_kind_that_is_shown(walker: Walker, command: str, block: Block) -> None:
    printed = list(kinds(walker.printed[command]))
    missing = [line for line in kinds("\n".join(block.lines)) if line != "…" and line not in printed]
    assert not missing, f"{missing} are shown, and printed was {walker.printed[command]}"


@pytest.fixture(scope="module")
def with_data(walker: Walker) -> Walker:
    """The same one, with drawn data sets in the places where README has the real ones."""
    data = walker.checkout.folder / "data"
    # The smallest that there are: what is shown is about the commands, not about the answers.
    drawn = {
        "vessels": ("chase_db1", 2, 256),
        "eye_disease": ("eye_diseases", 12, 128),
        "dubai_aerial": ("dubai_aerial", 2, 128),
    }
    for task, (name, subjects, size_px) in drawn.items():
        words = ["--task", task, "--root", str(data / name), "--subjects", str(subjects), "--size-px", str(size_px)]
        made = door("training", "synthesise", *words)
        assert made.returncode == 0, made.stdout + made.stderr
    shutil.copyfile(next((data / "chase_db1" / "images").iterdir()), walker.checkout.folder / "eye.jpg")
    return walker


@pytest.mark.parametrize("command", README)
def test_readme_runs(with_data: Walker, command: str) -> None:
    with_data.walk({command: README[command]})
    assert command in with_data.printed
