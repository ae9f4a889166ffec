"""A stage that fails stops the pipeline with its name and status."""

from pathlib import Path

import pytest
from rich.console import Console

from pipelines.__main__ import main
from pipelines.errors import PipelineError, StageError
from pipelines.plots import latency_distribution, training_curve
from pipelines.report import write_report
from pipelines.stages import run_stage, served


def test_failed_stage_is_named() -> None:
    sentence = r"stage serve failed: python -m serving --repository /nowhere ended with status 1"
    with pytest.raises(StageError, match=sentence):
        run_stage(Console(quiet=True), "serve", "serving", ["--repository", "/nowhere"])


def test_server_that_cannot_start_is_named(tmp_path: Path) -> None:
    with pytest.raises(StageError, match="serve failed"), served(Console(quiet=True), tmp_path / "absent", tmp_path):
        pytest.fail("the block must not run")


def test_report_says_which_result_is_missing(tmp_path: Path) -> None:
    with pytest.raises(PipelineError, match=r"summary\.json"):
        write_report(tmp_path, {})


def test_front_door_reports_errors_by_status(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["report", "--build", str(tmp_path)]) == 1
    assert "the report needs" in capsys.readouterr().out
    assert main(["infer", "--url", "127.0.0.1:1", "--model", str(tmp_path)]) == 1
    assert "is not a model folder" in capsys.readouterr().out


def test_plots_are_svg_and_repeatable() -> None:
    history = [{"epoch": n, "train_loss": 1 / n, "val_loss": 1 / n, "val_dice": 1 - 1 / n} for n in (1, 2, 3)]
    assert training_curve(history) == training_curve(history)
    for without in ("val_loss", "val_dice"):
        assert training_curve([{key: value for key, value in point.items() if key != without} for point in history])
    alone = training_curve([{"epoch": n, "train_loss": 1 / n} for n in (1, 2, 3)])
    assert "training loss" in alone
    assert "validation" not in alone
    plot = latency_distribution([10.0, 20.0, 40.0], {"p50": 20.0, "p95": 40.0, "p99": 40.0})
    assert plot.startswith("<svg")
    assert "p99" in plot
