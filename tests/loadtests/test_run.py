"""The front door against a real gRPC server, in processes of their own as in earnest."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest
from slowdown import slowdown

from loadtests.arrivals import arrival_times_ns
from loadtests.generator import locust_command
from loadtests.recorder import ROW, ROWS_FILE, read_recording
from loadtests.run import REPORTS

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]

GENEROUS = """
load: {rate_rps: 20, duration_s: 1, warm_up_s: 0.3, arrivals: poisson}
objectives: {p50_ms: 3000, p95_ms: 4000, p99_ms: 5000, error_ratio: 0.0, achieved_rate_ratio: 0.3,
             generator_lag_p99_ms: 500}
"""


class Door:
    """`python -m loadtests` with this test's folders."""

    def __init__(self, folder: Path, images: Path) -> None:
        self.out = folder / "out"
        self.slo = folder / "slo.yaml"
        self.slo.write_text(GENEROUS, encoding="utf-8")
        self.images = images

    def command(self, url: str, *flags: str) -> list[str]:
        folders = [f"--images={self.images}", f"--out={self.out}", f"--slo={self.slo}"]
        return [sys.executable, "-m", "loadtests", "run", f"--url={url}", *folders, *flags]

    def run(self, url: str, *flags: str) -> "subprocess.CompletedProcess[str]":
        done = subprocess.run(self.command(url, *flags), capture_output=True, text=True, timeout=120, check=False)
        assert "Traceback" not in done.stdout + done.stderr
        return done

    def started(self, url: str, *flags: str) -> "subprocess.Popen[str]":
        command = self.command(url, *flags)
        return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)

    def summary(self) -> dict[str, Any]:
        return dict(json.loads((self.out / "summary.json").read_text(encoding="utf-8")))

    def failed_cases(self) -> set[str]:
        cases = ElementTree.parse(self.out / "junit.xml").iter("testcase")  # noqa: S314
        return {case.attrib["name"] for case in cases if case.find("failure") is not None}


@pytest.fixture
def door(tmp_path: Path, images: Path) -> Door:
    return Door(tmp_path, images)


def _free_url() -> str:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"127.0.0.1:{probe.getsockname()[1]}"


def test_a_fast_server_passes(door: Door, start_server) -> None:
    done = door.run(start_server().url)
    assert done.returncode == 0, done.stdout + done.stderr
    summary = door.summary()
    assert summary["verdict"] == "passed"
    assert summary["counts"]["measured"] == summary["counts"]["planned"] > 0
    assert summary["run"]["rate_rps"] == 20
    assert all((door.out / name).stat().st_size for name in REPORTS)


def test_missed_objectives_exit_with_1_and_fail_in_junit(door: Door, start_server) -> None:
    door.slo.write_text(GENEROUS.replace("p50_ms: 3000", "p50_ms: 50"), encoding="utf-8")
    done = door.run(start_server("--delay-s=0.1", "--wrong-answer").url)
    assert done.returncode == 1, done.stdout + done.stderr
    assert door.failed_cases() == {"p50_ms", "error_ratio", "achieved_rate_ratio"}
    assert door.summary()["errors_by_message"].keys() == {"wrong answer: 'mask' and 'probability' differ in shape"}


def test_an_answer_that_load_changes_is_a_wrong_answer(door: Door, start_server) -> None:
    """In the right form, and fast: only the comparison with what was answered before the load finds it."""
    slo = GENEROUS.replace("error_ratio: 0.0", "correct_ratio: 1.0, error_ratio: 1.0")
    door.slo.write_text(slo + "correctness: {sample_every: 2}\n", encoding="utf-8")
    done = door.run(start_server("--wrong-after=12").url)
    assert done.returncode == 1, done.stdout + done.stderr
    assert "correct_ratio" in door.failed_cases()
    summary = door.summary()
    assert 0 < summary["correctness"]["correct_ratio"] < 1
    assert summary["errors_by_message"].keys() == {"wrong answer: 'mask' is not the expected one"}


def test_a_stall_shows_in_full(door: Door, start_server) -> None:
    """A closed loop would ask less while the server stalls, and report a p99 of a few milliseconds."""
    door.run(start_server("--stall-s=0.6", "--stall-every-s=3").url, "--rate=50", "--duration-s=4")
    assert door.summary()["latency_ms"]["p99"] >= 500
    assert door.summary()["counts"]["measured"] > 150


def test_timeouts_count_with_the_time_they_took(door: Door, start_server) -> None:
    assert door.run(start_server("--delay-s=20").url, "--timeout-s=0.5").returncode == 1
    summary = door.summary()
    assert summary["counts"]["errors"] == summary["counts"]["measured"] > 0
    assert summary["latency_ms"]["p50"] >= 500


def test_a_server_that_dies_is_a_missed_objective(door: Door, start_server) -> None:
    server = start_server()
    with door.started(server.url, "--duration-s=3") as process:
        _wait_for_rows(door.out / ROWS_FILE, 15)
        server.end()
        output = process.communicate(timeout=60)[0]
    assert process.returncode == 1, output
    assert "Traceback" not in output
    assert "error_ratio" in door.failed_cases()
    counts = door.summary()["counts"]
    assert 0 < counts["errors"] < counts["measured"] == counts["planned"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_run_ends_soon_with_what_was_measured(door: Door, start_server, number: int) -> None:
    with door.started(start_server("--delay-s=0.2").url, "--duration-s=60") as process:
        _wait_for_rows(door.out / ROWS_FILE, 15)
        signalled_s = time.monotonic()
        process.send_signal(number)
        output = process.communicate(timeout=60)[0]
    assert time.monotonic() - signalled_s < 3 * slowdown()
    assert process.returncode == 2, output
    assert "Traceback" not in output
    assert door.summary()["counts"]["measured"] > 0
    assert "interrupted" in door.summary()["invalid_reasons"][0]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interruption_does_not_wait_for_a_slow_server_before_the_load(door: Door, start_server, number: int) -> None:
    with door.started(start_server("--delay-s=20").url) as process:
        deadline_s = time.monotonic() + 30
        while not door.out.exists():
            assert time.monotonic() < deadline_s, "the run did not begin"
            time.sleep(0.05)
        # Long enough to ask for the first image, far shorter than its answer takes.
        time.sleep(1.5 * slowdown())
        signalled_s = time.monotonic()
        process.send_signal(number)
        output = process.communicate(timeout=20)[0]
    assert time.monotonic() - signalled_s < 3 * slowdown()
    assert process.returncode == 2, output
    assert "Traceback" not in output
    assert "interrupted" in output


def test_a_server_that_hangs_is_a_missed_objective(door: Door, start_server) -> None:
    """Its connections stay open, so that only patience ends."""
    server = start_server()
    with door.started(server.url, "--duration-s=2", "--timeout-s=0.5") as process:
        _wait_for_rows(door.out / ROWS_FILE, 10)
        server.process.send_signal(signal.SIGSTOP)
        output = process.communicate(timeout=40)[0]
    assert process.returncode == 1, output
    assert "Traceback" not in output
    assert door.summary()["counts"]["measured"] == door.summary()["counts"]["planned"]
    assert door.summary()["latency_ms"]["max"] >= 500


def test_a_killed_generator_makes_the_run_invalid(door: Door, start_server) -> None:
    with door.started(start_server().url, "--duration-s=60") as process:
        _wait_for_rows(door.out / ROWS_FILE, 15)
        os.kill(_children(process.pid)[0], signal.SIGKILL)
        process.communicate(timeout=60)
    assert process.returncode == 2
    assert "exit code -9" in door.summary()["invalid_reasons"][0]


def test_workers_share_the_load_and_their_rows_come_together_exactly(door: Door, start_server) -> None:
    done = door.run(start_server().url, "--processes=2", "--rate=60")
    assert done.returncode == 0, done.stdout + done.stderr
    rows = read_recording(door.out).rows
    settled = arrival_times_ns(rate_rps=60, span_s=1.3, arrivals="poisson", seed=0)
    assert np.sort(rows["index"]).tolist() == list(range(len(settled)))
    assert rows["intended_ns"][np.argsort(rows["index"])].tolist() == settled.tolist()


def test_a_lost_worker_makes_the_run_invalid(door: Door, start_server) -> None:
    with door.started(start_server().url, "--processes=2", "--duration-s=6") as process:
        _wait_for_rows(door.out / ROWS_FILE, 15)
        os.kill(_children(process.pid)[-1], signal.SIGKILL)
        process.communicate(timeout=90)
    assert process.returncode == 2
    assert "1 of 2 load generators did not finish" in door.summary()["invalid_reasons"][0]


def test_a_closed_loop_asks_less_of_a_server_that_stalls(door: Door, start_server) -> None:
    door.run(start_server("--delay-s=0.2").url, "--closed-loop", "--users=2", "--duration-s=2")
    counts = door.summary()["counts"]
    assert 0 < counts["measured"] <= 20
    assert door.summary()["latency_ms"]["p50"] < 1000


def test_a_trace_says_when_and_what_is_sent(door: Door, start_server) -> None:
    trace = door.out.parent / "trace.csv"
    trace.write_text("time_s,image,weight\n0.1,b.JPG,1\n0.5,a.png,2\n1.0,b.JPG,1\n99,a.png,1\n", encoding="utf-8")
    done = door.run(start_server().url, f"--trace={trace}", "--warm-up-s=0")
    assert done.returncode == 0, done.stdout + done.stderr
    rows = np.sort(read_recording(door.out).rows, order="index")
    assert rows["intended_ns"].tolist() == [100_000_000, 500_000_000, 500_000_000]
    assert rows["image"].tolist() == [1, 0, 0]


def test_no_server_is_refused_promptly_and_old_reports_are_gone(door: Door) -> None:
    door.out.mkdir()
    for name in REPORTS:
        (door.out / name).write_text("passed, once", encoding="utf-8")
    began_s = time.monotonic()
    done = door.run(_free_url())
    assert time.monotonic() - began_s < 8
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert not any((door.out / name).exists() for name in REPORTS)


def test_a_server_that_is_not_ready_is_refused(door: Door, start_server) -> None:
    done = door.run(start_server("--not-ready").url)
    assert done.returncode == 2
    assert "ready" in done.stderr


def test_a_misspelt_task_is_refused(door: Door, start_server) -> None:
    done = door.run(start_server().url, "--task=vesels")
    assert done.returncode == 2
    assert "vesels" in done.stderr


def test_the_locustfile_works_without_the_front_door(door: Door, start_server) -> None:
    door.out.mkdir()
    words = [f"--url={start_server().url}", f"--images={door.images}", f"--out={door.out}"]
    command, environment = locust_command("--rate=20", "--duration-s=1", *words)
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    assert (door.out / ROWS_FILE).stat().st_size > 0


def _wait_for_rows(path: Path, count: int) -> None:
    deadline_s = time.monotonic() + 60
    while not path.exists() or path.stat().st_size < count * ROW.itemsize:
        assert time.monotonic() < deadline_s, "the generator wrote no rows"
        time.sleep(0.05)


def _children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii").split()]
