"""`python -m training --multirun key=a,b`: one run for every combination, each in its own folder.

The words are split by Hydra's own sweeper, so its syntax holds: `a,b`, `range(0,3)`, `choice(a,b)`.
"""

import re
import time
from dataclasses import dataclass, replace
from pathlib import Path

from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import HydraException
from rich.console import Console
from rich.table import Table

from tasks import get_task
from training.check import check_config
from training.command import exit_status, load_config
from training.config import TrainingConfig, one_sentence
from training.errors import ConfigError, StoppedError, TrainingError
from training.train import main_metric, train
from training.weights import load_card
from training.words import for_hydra


@dataclass(frozen=True)
class _Job:
    """One combination: what sets it apart, and its whole configuration."""

    varied: tuple[str, ...]
    config: TrainingConfig


def run_multirun(words: list[str], console: Console) -> int:
    """Run every combination and return the exit status: 1 if any of them failed."""
    return exit_status(lambda: _sweep(words, console), console)


def split_words(words: list[str]) -> list[list[str]]:
    """Return the words of each run.

    Raises:
        ConfigError: a word that Hydra does not understand.
    """
    try:
        overrides = OverridesParser.create().parse_overrides(for_hydra(words))
        return [list(job) for batch in BasicSweeper.split_arguments(overrides, None) for job in batch]
    except HydraException as error:
        raise ConfigError(one_sentence(error)) from error


def _sweep(words: list[str], console: Console) -> int:
    jobs = _jobs(words)
    began_s, outcomes = time.monotonic(), []
    for number, job in enumerate(jobs):
        console.print(f"run {number + 1}/{len(jobs)}: {' '.join(job.varied)}", markup=False)
        try:
            train(job.config, console)
            outcomes.append(_figure(job.config))
        except StoppedError as stop:
            told = f"{number} of {len(jobs)} runs are done; {str(stop).removeprefix('stopped; ')}"
            raise StoppedError(stop.signal_number, told) from stop
        except TrainingError as error:
            # The others may well succeed, and a sweep is often left alone overnight.
            console.print(f"error: {error}", style="red", markup=False)
            outcomes.append("failed")
        left_s = (time.monotonic() - began_s) / (number + 1) * (len(jobs) - number - 1)
        console.print(f"run {number + 1}/{len(jobs)} done, about {left_s:.0f} s left")
    console.print(_table(jobs, outcomes))
    return 1 if "failed" in outcomes else 0


def _jobs(words: list[str]) -> list[_Job]:
    """Return all runs, every one of them checked before the first starts."""
    combinations = split_words(words)
    common = set.intersection(*(set(job) for job in combinations))
    jobs = []
    for number, job in enumerate(combinations):
        varied = tuple(word for word in job if word not in common)
        config = load_config(job)
        named = re.sub(r"[^A-Za-z0-9_.-]+", "_", ",".join(varied).replace(",", "__").replace("=", "-")) or "run"
        config = replace(config, out=str(Path(config.out) / "multirun" / f"{number}_{named}"[:120]))
        check_config(config)
        jobs.append(_Job(varied, config))
    return jobs


def _figure(config: TrainingConfig) -> str:
    metric = main_metric(get_task(config.task))
    return f"{metric} {load_card(Path(config.out)).metrics.get(metric, float('nan')):.4f}"


def _table(jobs: list[_Job], outcomes: list[str]) -> Table:
    table = Table("run", "held out", "folder")
    for job, outcome in zip(jobs, outcomes, strict=True):
        table.add_row(" ".join(job.varied), outcome, job.config.out)
    return table
