"""The questions through their front doors, against servers in processes of their own."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from simulated import NoisyMachine, SimulatedDriver, SimulatedServer, lognormal

from loadtests.compare.command import compare

pytestmark = [pytest.mark.slow, pytest.mark.timeout(90)]

SLO = """
load: {rate_rps: 20, duration_s: 1, warm_up_s: 0.2, arrivals: poisson}
objectives: {p50_ms: 3000, error_ratio: 0.0, achieved_rate_ratio: 0.3, generator_lag_p99_ms: 900}
"""


class Door:
    """`python -m loadtests <command>` with this test's folders."""

    def __init__(self, folder: Path, images: Path) -> None:
        self.out = folder / "out"
        (folder / "slo.yaml").write_text(SLO, encoding="utf-8")
        self.words = [f"--images={images}", f"--out={self.out}", f"--slo={folder / 'slo.yaml'}"]

    def started(self, command: str, *flags: str) -> "subprocess.Popen[str]":
        return subprocess.Popen(
            [sys.executable, "-m", "loadtests", command, *self.words, *flags],
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        )  # fmt: skip

    def run(self, command: str, *flags: str) -> tuple[int, str]:
        process = self.started(command, *flags)
        output = process.communicate(timeout=80)[0]
        assert "Traceback" not in output
        return process.returncode, output

    def document(self, name: str) -> dict[str, Any]:
        return dict(json.loads((self.out / name).read_text(encoding="utf-8")))


@pytest.fixture
def door(tmp_path: Path, images: Path) -> Door:
    return Door(tmp_path, images)


def test_capacity_searches_a_running_server_up_to_its_ceiling(door: Door, start_server: Callable[..., Any]) -> None:
    flags = [
        "--trial-requests=5",
        "--start-rps=25",
        "--ceiling-rps=25",
        "--at-least=30",
        "--profiles=cpu",
        "--instances=2",
    ]
    code, output = door.run("capacity", f"--url={start_server().url}", *flags)
    assert code == 1, output
    assert "25 requests/s are sure, 30 were asked for" in output
    entry = door.document("capacity.json")["capacities"][0]
    assert (entry["profile"], entry["instances"], entry["limit"]) == ("cpu", 2, "ceiling")
    assert [trial["outcome"] for trial in entry["trials"]][-1] == "passed"


def test_an_interrupted_capacity_ends_at_once_with_what_it_has(door: Door, start_server: Callable[..., Any]) -> None:
    process = door.started("capacity", f"--url={start_server().url}", "--trial-s=1", "--trial-requests=5")
    assert process.stdout is not None
    assert "trial 1" in process.stdout.readline()
    time.sleep(0.5)
    process.send_signal(signal.SIGINT)
    since_s = time.monotonic()
    output = process.communicate(timeout=30)[0]
    assert time.monotonic() - since_s < 3 + _patience_s()
    assert process.returncode == 2, output
    assert "Traceback" not in output
    assert "interrupted after" in output
    document = door.document("capacity.json")
    assert document["complete"] is False
    assert document["capacities"][0]["trials"]


def _patience_s() -> float:
    """The bar is three seconds on a machine of its own; what waits for a core here is not ours."""
    return 10.0 if os.getloadavg()[0] > (os.cpu_count() or 1) else 0.0


def test_a_release_that_cannot_be_served_is_one_sentence(door: Door, tmp_path: Path) -> None:
    code, output = door.run("capacity", f"--repository={tmp_path / 'nothing'}")
    assert code == 2
    assert output.startswith("loadtests: the server did not start:")
    assert "there is no model repository" in output


def test_a_server_that_leaks_fails_its_soak(door: Door, start_server: Callable[..., Any]) -> None:
    server = start_server("--leak-kib=1024")
    flags = [f"--pid={server.process.pid}", "--rate=50", "--duration-s=6", "--sample-s=0.2"]
    lenient = ["--allow=latency p50=9000", "--allow=latency p95=9000", "--allow=file descriptors=900"]
    code, output = door.run("soak", f"--url={server.url}", *flags, *lenient)
    assert code == 1, output
    assert "memory rises" in output
    rising = {trend["name"]: trend["rising"] for trend in door.document("soak.json")["trends"]}
    assert rising == {"memory": True, "file descriptors": False, "latency p50": False, "latency p95": False}
    assert "The queue was not watched" in output


@pytest.mark.parametrize(("slowdown", "code"), [(1.0, 0), (1.3, 1)])
def test_compare_tells_by_its_exit_code(
    door: Door, start_server: Callable[..., Any], slowdown: float, code: int
) -> None:
    """Real servers are asked for answers to compare with; the load on them is simulated."""
    a, b = start_server().url, start_server().url
    servers = {
        a: SimulatedServer(lognormal(0.02, 0.3), 2),
        b: SimulatedServer(lognormal(0.02, 0.3), 2, slowdown, seed=1),
    }
    driver = SimulatedDriver(servers, NoisyMachine())
    assert compare([f"--a={a}", f"--b={b}", *door.words], driver) == code
    document = door.document("compare.json")
    assert document["exit_code"] == code
    assert (document["a"]["url"], document["b"]["url"]) == (a, b)
    assert document["ratios"]["p50"]["estimate"] == pytest.approx(slowdown, abs=0.05)
