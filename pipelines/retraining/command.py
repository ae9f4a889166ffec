"""The commands `retrain`, `step` and `compile`."""

import argparse
from datetime import timedelta
from pathlib import Path

from rich.console import Console

from pipelines.commands import Commands, add_champion


def add_commands(commands: Commands) -> None:
    """Add them to the front door."""
    _add_retrain(commands.add("retrain", _retrain, "train, judge and promote, if there is a reason; 3 if refused"))
    step = commands.add("step", _step, "one step of a retraining")
    step.add_argument("name")
    step.add_argument("--run", dest="folder", type=Path, required=True, help="folder of the retraining")
    compiled = commands.add("compile", _compile, "the same steps as a Kubeflow pipeline, YAML")
    compiled.add_argument("--out", type=Path, default=Path("build/retrain.yaml"))
    compiled.add_argument("--image", default="fovea-training:latest", help="an image with this project installed")
    compiled.add_argument("--volume", default="fovea", help="persistent volume claim that all steps share")
    compiled.add_argument("--mount", default="/fovea", help="where it is mounted")


def _add_retrain(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--run", dest="folder", type=Path, default=Path("build/retraining"), help="its own folder")
    parser.add_argument("--settings", type=Path, help="a JSON file of settings instead of the flags below")
    parser.add_argument("--task", default="vessels")
    parser.add_argument("--data", type=Path, help="labelled pictures")
    parser.add_argument("--test-set", type=Path, help="a frozen test set, see freeze")
    add_champion(parser)
    parser.add_argument("--profile", default="default", help="serving profile that is judged")
    parser.add_argument("--training", action="append", default=[], metavar="WORD", help="more for training")
    parser.add_argument("--ingest", action="append", default=[], metavar="WORD", help="more for training ingest")
    parser.add_argument("--load-test", action="append", default=[], metavar="WORD", help="more for loadtests run")
    parser.add_argument("--comparison", action="append", default=[], metavar="WORD", help="more for loadtests compare")
    parser.add_argument("--no-latency", action="store_true", help="leave latency to the load-test gate")
    parser.add_argument("--trigger", choices=("asked", "drift", "labels", "schedule"), default="asked")
    parser.add_argument("--drift-report", type=Path, help="drift.json of `python -m monitoring drift`")
    parser.add_argument("--every-days", type=float, default=30.0, help="of the trigger schedule")
    parser.add_argument("--kubeflow", action="store_true", help="let Kubeflow's own local runner run the steps")


def _retrain(options: argparse.Namespace, console: Console) -> None:
    from pipelines.retraining.retrain import Call, retrain, settings_of  # noqa: PLC0415 - --help need not wait

    settings = settings_of(options)
    call = Call(options.trigger, options.drift_report, timedelta(days=options.every_days), options.kubeflow)
    retrain(settings, options.folder, call, console)


def _step(options: argparse.Namespace, console: Console) -> None:
    from pipelines.retraining.run import run_step  # noqa: PLC0415 - as in _retrain

    run_step(options.name, options.folder, console)


def _compile(options: argparse.Namespace, console: Console) -> None:
    from pipelines.retraining.kubeflow import Cluster, compile_pipeline  # noqa: PLC0415 - as in _retrain

    compile_pipeline(options.out, Cluster(options.image, options.volume, options.mount))
    console.print(f"{options.out} written")
