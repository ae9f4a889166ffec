"""The whole way on one machine: data → train → export → serve → infer → load-test → report."""

import json
import time
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table

from pipelines.infer import infer
from pipelines.report import write_report
from pipelines.stages import run_stage, served


@dataclass(frozen=True)
class DemoOptions:
    """What the demo runs on.

    Attributes:
        data: a CHASE_DB1 or DRIVE folder; None draws a synthetic data set.
        build: everything is written below this folder.
        trainer: which of `training/conf/trainer` trains.
        subjects: how many people the synthetic set has.
    """

    data: Path | None = None
    build: Path = Path("build")
    trainer: str = "demo"
    subjects: int = 12


def run_demo(options: DemoOptions, console: Console) -> Path:
    """Run every stage and return the report's page.

    Raises:
        StageError, MismatchError: a stage failed; nothing after it was run.
    """
    started_s = time.monotonic()
    build = options.build
    model, release, results = build / "training" / "vessels", build / "model_repository", build / "report"
    times_s = {"data": _prepare_data(options, console)}
    times_s["train"] = run_stage(console, "train", "training", _training_words(options, model))
    times_s["export"] = run_stage(
        console, "export", "export", [f"model={model}", f"to={release}", f"work={build / 'export'}"]
    )
    with served(console, release, build / "serving") as url:
        console.rule("[bold]infer[/bold]  python -m pipelines infer", align="left")
        infer(url, model, results, console)
        words = ["--url", url, "--images", str(model / "held_out" / "images"), "--out", str(build / "loadtest")]
        times_s["load-test"] = run_stage(console, "load-test", "loadtests", words)
    times_s["total"] = time.monotonic() - started_s
    console.rule("[bold]report[/bold]  python -m pipelines report", align="left")
    page = write_report(build, times_s)
    console.print(summary_table(build, times_s))
    console.print(f"report: {page}")
    return page


def summary_table(build: Path, times_s: dict[str, float]) -> Table:
    """Return the few figures that a reader wants first."""
    metrics = json.loads((build / "training" / "vessels" / "model.json").read_text())["metrics"]
    images = json.loads((build / "report" / "served.json").read_text())
    load = json.loads((build / "loadtest" / "summary.json").read_text())
    difference = max(abs(image["dice_served"] - image["dice_offline"]) for image in images)
    table = Table(title="the whole way", show_header=False)
    table.add_row("held-out Dice, ROC-AUC", f"{metrics['dice']:.4f}, {metrics['roc_auc']:.4f}")
    table.add_row("served vs offline Dice", f"differs by at most {difference:.5f} over {len(images)} pictures")
    latency = load["latency_ms"]
    table.add_row(
        "latency p50 / p95 / p99", " / ".join(f"{latency[name]:.0f}" for name in ("p50", "p95", "p99")) + " ms"
    )
    table.add_row("objectives", f"{load['verdict']} at {load['rates_rps']['achieved']:.2f} requests/s")
    table.add_row("time", ", ".join(f"{name} {seconds:.0f} s" for name, seconds in times_s.items()))
    return table


def _prepare_data(options: DemoOptions, console: Console) -> float:
    if options.data is not None:
        console.rule(f"[bold]data[/bold]  {options.data}", align="left")
        return 0.0
    words = ["synthesise", "--root", str(options.build / "data" / "synthetic"), "--subjects", str(options.subjects)]
    return run_stage(console, "data", "training", words)


def _training_words(options: DemoOptions, model: Path) -> list[str]:
    data = options.data or options.build / "data" / "synthetic"
    # A drawn set may have fewer people than a task's usual number of folds.
    folds = [] if options.data else [f"data.folds={max(2, min(5, options.subjects))}"]
    return [
        *folds,
        _override("data.root", data),
        _override("out", model),
        f"trainer={options.trainer}",
        _override("tracking.uri", f"sqlite:///{options.build / 'mlflow.db'}"),
        _override("tracking.artifacts", options.build / "mlartifacts"),
    ]


def _override(key: str, value: object) -> str:
    """Return key='value' in Hydra's grammar: folders have blanks and quotes in their names."""
    escaped = str(value).replace("\\", "\\\\").replace("'", "\\'")
    return f"{key}='{escaped}'"
