"""Two processes on a CPU: they share the crops, end with one network, and none of them hangs when the other dies."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
from tiny import tiny_words

from training import processes
from training.__main__ import main
from training.datasets import EpochSampler
from training.processes import Report
from training.weights import load_card

TWO = ("trainer.devices=2", "trainer.strategy=ddp", "trainer.accelerator=cpu", "trainer.crops_per_epoch=16")
LONG = (*TWO, "trainer.epochs=100000", "trainer.ema_decay=0.8")


@pytest.mark.parametrize(("length", "world_size"), [(16, 2), (17, 2), (12, 4)])
def test_processes_share_the_crops_without_overlap(length: int, world_size: int) -> None:
    samplers = [EpochSampler(length, rank, world_size) for rank in range(world_size)]
    seen: list[int] = []
    for epoch in range(3):
        for sampler in samplers:
            sampler.set_epoch(epoch)
            drawn = list(sampler)
            assert len(drawn) == len(sampler)
            seen += drawn
    assert len(seen) == len(set(seen))
    assert sorted(seen) == list(range(3 * (length // world_size) * world_size))


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[subprocess.Popen[bytes]]]:
    """The processes of the next run, as soon as they are there."""
    found: list[subprocess.Popen[bytes]] = []
    start = processes._start

    def noted(folder: Path, count: int) -> list[subprocess.Popen[bytes]]:
        new = start(folder, count)
        found.extend(new)
        return new

    monkeypatch.setattr(processes, "_start", noted)
    yield found
    for process in found:
        assert process.poll() is not None, "a process was left behind"


def after_first_epoch(out: Path, act: list[threading.Thread], what: Callable[[], None]) -> None:
    """Do something once the first checkpoint is there."""

    def wait() -> None:
        deadline_s = time.monotonic() + 240
        while not (out / "checkpoint.ckpt").exists() and time.monotonic() < deadline_s:
            time.sleep(0.05)
        what()

    act.append(threading.Thread(target=wait))
    act[0].start()


@pytest.mark.slow
def test_run_in_two_processes(tiny_vessels: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    tracking = ("tracking=mlflow", f"tracking.uri=sqlite:///{tmp_path}/mlflow.db", f"tracking.artifacts={tmp_path}/a")
    assert main(tiny_words(tiny_vessels, tmp_path / "out", *TWO, *tracking)) == 0
    said = capfd.readouterr().out
    assert [said.count(f"epoch {number}/2") for number in (1, 2)] == [1, 1], "only the first process prints"
    card = load_card(tmp_path / "out")
    assert card.run_id
    import mlflow

    client = mlflow.MlflowClient(f"sqlite:///{tmp_path}/mlflow.db")
    runs = client.search_runs([client.get_experiment_by_name("fovea").experiment_id])
    assert [run.info.run_id for run in runs] == [card.run_id], "only the first process records"


NOTING = """
import hashlib, pathlib, sys
from training import rank, train
fit, notes = train.fit, pathlib.Path(sys.argv.pop(1))
def noted(*given):
    fitted = fit(*given)
    weights = b"".join(each.detach().numpy().tobytes() for each in fitted.network.parameters())
    (notes / f"weights_{sys.argv[2]}").write_text(hashlib.sha256(weights).hexdigest())
    return fitted
train.fit = noted
sys.exit(rank.main(sys.argv[1:]))
"""


@pytest.mark.slow
def test_processes_end_with_one_network(tiny_vessels: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    start = subprocess.Popen

    def noting(command: list[str], **how: Any) -> "subprocess.Popen[bytes]":
        python, _, module, *words = command
        return start([python, "-c", NOTING, str(tmp_path), *words] if module == "training.rank" else command, **how)

    monkeypatch.setattr(processes.subprocess, "Popen", noting)
    assert main(tiny_words(tiny_vessels, tmp_path / "out", *TWO)) == 0
    first, second = ((tmp_path / f"weights_{rank}").read_text() for rank in range(2))
    assert first == second


@pytest.mark.slow
def test_a_killed_process_ends_the_run(
    tiny_vessels: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], started: list[subprocess.Popen[bytes]]
) -> None:
    waiting: list[threading.Thread] = []
    after_first_epoch(tmp_path, waiting, lambda: started[1].send_signal(signal.SIGKILL))
    assert main(tiny_words(tiny_vessels, tmp_path, *LONG)) == 1
    waiting[0].join()
    said = capsys.readouterr().out
    assert "process 1 of 2 was killed by SIGKILL" in said
    assert f"resume={tmp_path}" in said


@pytest.mark.slow
def test_a_signal_stops_all_of_them_and_resume_goes_on(
    tiny_vessels: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], started: list[subprocess.Popen[bytes]]
) -> None:
    waiting: list[threading.Thread] = []
    after_first_epoch(tmp_path, waiting, lambda: os.kill(os.getpid(), signal.SIGTERM))
    assert main(tiny_words(tiny_vessels, tmp_path, *LONG)) == 143
    waiting[0].join()
    assert f"resume={tmp_path}" in capsys.readouterr().out
    resumed = tiny_words(tiny_vessels, tmp_path, *LONG, "trainer.epochs=10", f"resume={tmp_path}")
    assert main([*resumed, "trainer.devices=1"]) == 2
    assert "was written with trainer.devices 2" in capsys.readouterr().out
    assert main(resumed) == 0


@pytest.mark.parametrize(
    ("reports", "codes", "sentence"),
    [
        ((Report("LostProcessError", "another is gone"), Report("DivergedError", "nan")), (1, 1), "nan"),
        ((Report("ConfigError", "wrong"), Report("ConfigError", "wrong")), (1, 1), "wrong"),
        (
            (Report("LostProcessError", "another is gone"), None),
            (1, -9),
            "process 1 of 2 was killed by SIGKILL; nothing",
        ),
        ((None, Report("LostProcessError", "another is gone")), (3, 1), "process 0 of 2 ended with status 3; nothing"),
        ((Report("StoppedError", "stopped; go on", 15), None), (1, -9), "stopped; go on"),
    ],
)
def test_the_cause_is_told_and_not_its_consequence(
    tmp_path: Path, reports: tuple[Report | None, ...], codes: tuple[int, ...], sentence: str
) -> None:
    for rank, report in enumerate(reports):
        if report is not None:
            processes.report_file(tmp_path, rank).write_text(json.dumps(asdict(report)))
    error = processes._cause([ended(code) for code in codes], tmp_path, tmp_path / "out", 0.0)
    assert str(error).startswith(sentence)
    assert getattr(error, "signal_number", 0) == max(report.signal_number for report in reports if report)


def ended(code: int) -> "subprocess.Popen[bytes]":
    """A process that has ended so."""
    act = f"import os, signal; os.kill(os.getpid(), {-code})" if code < 0 else f"raise SystemExit({code})"
    process = subprocess.Popen([sys.executable, "-S", "-c", act])
    process.wait()
    return process
