"""`python -m training crossvalidate`: every subject is judged once, by a network that never saw it."""

import json
import signal
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from rich.console import Console

from tasks import get_task
from training.baselines import has_baseline
from training.check import check_config
from training.checkpoints import newest_checkpoint
from training.command import exit_status, load_config
from training.config import TrainingConfig
from training.errors import ConfigError, StoppedError, TrainingError
from training.evaluation import evaluate, pooled_metrics
from training.experiments.folds import FoldResult, judge_baseline, spread_table, summary
from training.fitting import check_devices
from training.revision import code_revision
from training.sources import data_digest, read_samples
from training.split import split_by_fold
from training.stored_rows import assignment_digest
from training.tracking import Run, start_run
from training.train import main_metric, read_split, train
from training.weights import load_card, load_serving_module
from training.words import as_typed, own_options

RESULT = "crossvalidation.json"
_STARTED = "started.json"
_RUN = "run_id.txt"
# Parts and keys of the configuration that change no weight.
_NOT_LEARNT_FROM = ("out", "resume", "tracking", "evaluation")
_PLACES_AND_SPEED = (
    ("data", "root"),
    ("data", "source"),
    ("data", "memory_mb"),
    ("trainer", "workers"),
    ("trainer", "threads"),
)


@dataclass
class CrossvalidationOptions:
    """What `crossvalidate` takes beside the configuration of a run.

    Attributes:
        baseline: whether the colour baseline of the task is judged on the same folds.
        only: folds to train; empty for all. Calls with different ones may run side by side, also on several machines
            that share `out`; a last call without `only` keeps their folds and adds the figures up.
    """

    baseline: bool = False
    only: list[int] = field(default_factory=list)


def run_crossvalidate(words: list[str], console: Console) -> int:
    """Cross-validate as told and return the exit status."""

    def work() -> int:
        options, overrides = own_options(words, CrossvalidationOptions)
        crossvalidate(load_config(overrides), options, as_typed("crossvalidate", words), console)
        return 0

    return exit_status(work, console)


def crossvalidate(config: TrainingConfig, options: CrossvalidationOptions, command: str, console: Console) -> Path:
    """Train and judge once a fold, and return the JSON with all figures, or with `only` the folder of the folds.

    Subjects that the publisher keeps for testing are left out. Folds that are finished, by the same configuration on
    the same data, are kept; one that was interrupted goes on from its checkpoint.

    Raises:
        TrainingError: as `train`; a baseline that the task has not.
        StoppedError: a signal.
    """
    config = _checked(config, options)
    samples, _ = read_split(config)
    folds = _chosen(sorted({sample.fold for sample in samples if sample.fold is not None}), options.only)
    out, digest = Path(config.out), assignment_digest(samples)
    run = _parent(config, out, data_digest(samples))
    results, trained, began_s = [], 0, time.monotonic()
    try:
        for place, fold in enumerate(folds):
            judged_config = _fold_config(config, fold)
            kept = _train_fold(judged_config, digest, run, console)
            results.append(_judged(judged_config, fold, console))
            if not kept:
                trained += 1
                left_s = (time.monotonic() - began_s) / trained * (len(folds) - place - 1)
                _report(place, len(folds), results[-1], config, left_s, console)
        document = None if options.only else _document(config, options, command, results, console)
    except BaseException as error:
        run.abandon()
        raise _stopped(error, len(results), folds, out) from error
    if document is None:
        run.finish(succeeded=True)
        console.print(f"folds {', '.join(map(str, folds))} are in {out}; the same call without only= adds all folds up")
        return out
    return _record(document, run, out / RESULT, config, console)


def _record(document: dict[str, Any], run: Run, path: Path, config: TrainingConfig, console: Console) -> Path:
    path.write_text(json.dumps(document, indent=1, ensure_ascii=False) + "\n")
    run.log_metrics({f"pooled_{name}": value for name, value in document["metrics"].items() if value is not None})
    run.log_file(path)
    run.finish(succeeded=True)
    console.print(spread_table(document, get_task(config.task)))
    console.print(f"all figures: {path}", markup=False)
    return path


def _chosen(folds: list[int], only: Sequence[int]) -> list[int]:
    strangers = sorted(set(only) - set(folds))
    if strangers:
        raise ConfigError(
            f"only={list(only)}: there is no fold {strangers[0]}; the folds are {folds[0]} to {folds[-1]}"
        )
    return [fold for fold in folds if fold in only] if only else folds


def _checked(config: TrainingConfig, options: CrossvalidationOptions) -> TrainingConfig:
    check_config(config)
    check_devices(config.trainer)
    task = get_task(config.task)
    if config.resume is not None:
        raise ConfigError("crossvalidate continues by itself what it finds in out=; leave resume= out")
    if options.baseline and not has_baseline(task):
        raise ConfigError(f"{task.name} has no colour baseline; leave baseline= out")
    return replace(config, data=replace(config.data, official_test="left_out", held_out_fold=0))


def _fold_config(config: TrainingConfig, fold: int) -> TrainingConfig:
    data = replace(config.data, held_out_fold=fold)
    # A fold's model is a yardstick and no candidate for serving.
    tracking = replace(config.tracking, register=False)
    return replace(config, data=data, tracking=tracking, out=str(Path(config.out) / f"fold_{fold}"))


def _parent(config: TrainingConfig, out: Path, digest: str) -> Run:
    """Return the run that all folds belong to, the same one after an interruption."""
    try:
        out.mkdir(parents=True, exist_ok=True)
        known = (out / _RUN).read_text() if (out / _RUN).is_file() else ""
        run = start_run(config, f"{config.task} crossvalidation", data_digest=digest, run_id=known)
        (out / _RUN).write_text(run.run_id)
    except OSError as error:
        raise TrainingError(f"the folder {out} cannot be written ({error}); name another one with out=") from error
    return run


def _train_fold(config: TrainingConfig, digest: str, run: Run, console: Console) -> bool:
    """Train a fold that is not there yet, and return whether it was."""
    folder = Path(config.out)
    if (folder / _STARTED).is_file():
        _require_same(folder, _identity(config, digest))
    else:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / _STARTED).write_text(json.dumps(_identity(config, digest)))
    if _is_finished(folder):
        console.print(f"fold {config.data.held_out_fold}: kept from an earlier call", markup=False)
        return True
    checkpoint = newest_checkpoint(folder)
    train(replace(config, resume=None if checkpoint is None else str(folder)), console, parent_id=run.run_id)
    return False


def _identity(config: TrainingConfig, digest: str) -> dict[str, Any]:
    """Return what decides a fold's weights: the split data and the recipe."""
    return {"data_digest": digest, **recipe(asdict(config))}


def recipe(config: Mapping[str, Any]) -> dict[str, Any]:
    """Return what of a run's configuration decides its weights, as JSON gives it back: no places and no speed.

    Args:
        config: the fields of `TrainingConfig`; those that are left out of the result may be missing. An option that is
            missing in its group has its default: the run is older than it.
    """
    defaults = asdict(TrainingConfig())
    fields = {name: value for name, value in config.items() if name not in _NOT_LEARNT_FROM}
    for name, value in fields.items():
        if isinstance(value, Mapping) and isinstance(defaults.get(name), dict):
            fields[name] = {**defaults[name], **value}
    for group, name in _PLACES_AND_SPEED:
        fields[group] = {key: value for key, value in fields[group].items() if key != name}
    return dict(json.loads(json.dumps(fields)))


def _require_same(folder: Path, identity: dict[str, Any]) -> None:
    """Refuse to go on with a fold of other data or of another configuration; hours of training are not thrown away."""
    try:
        found = recipe(json.loads((folder / _STARTED).read_text()))
    except (ValueError, KeyError, AttributeError):
        found = {}
    differing = sorted(name for name in identity if found.get(name) != identity[name])
    if differing:
        raise ConfigError(
            f"{folder} was begun with other {', '.join(differing)}; give another out=, or remove that folder"
        )


def _is_finished(folder: Path) -> bool:
    try:
        load_card(folder)
    except TrainingError:
        return False
    return True


def _judged(config: TrainingConfig, fold: int, console: Console) -> FoldResult:
    """Judge a fold by the weights on disk, which are what a kept fold has as well."""
    task = get_task(config.task)
    module, _ = load_serving_module(Path(config.out))
    _, split = read_split(config)
    with console.status(f"judging fold {fold}"):
        judged = [item.judgement() for item in evaluate(module, split.held_out, task, tta=config.evaluation.tta)]
    return FoldResult(fold, judged, pooled_metrics(judged, task))


def _report(
    place: int, folds: int, result: FoldResult, config: TrainingConfig, left_s: float, console: Console
) -> None:
    metric = main_metric(get_task(config.task))
    console.print(
        f"fold {place + 1}/{folds}  {metric} {result.metrics.get(metric, float('nan')):.4f}  about {left_s:.0f} s left"
    )


def _document(
    config: TrainingConfig,
    options: CrossvalidationOptions,
    command: str,
    results: Sequence[FoldResult],
    console: Console,
) -> dict[str, Any]:
    task = get_task(config.task)
    # Of all samples, as a model's card has it: an official test part is left out of the folds and is data all the same.
    everything = read_samples(Path(config.data.root), task, config.data.source)
    document: dict[str, Any] = {"task": task.name, "command": command, "data_digest": data_digest(everything)}
    document |= {"code_revision": code_revision(), "config": asdict(config)}
    document |= summary(results, task, config.evaluation.resamples, config.seed)
    if options.baseline:
        samples, _ = read_split(config)
        with console.status("judging the colour baseline"):
            splits = [split_by_fold(samples, result.fold, 0.0) for result in results]
            document["baseline"] = judge_baseline(splits, task, config.evaluation.resamples, config.seed)
    return document


def _stopped(error: BaseException, done: int, folds: Sequence[int], out: Path) -> BaseException:
    if not isinstance(error, StoppedError | KeyboardInterrupt):
        return error
    number = error.signal_number if isinstance(error, StoppedError) else signal.SIGINT
    return StoppedError(number, f"{done} of {len(folds)} folds are kept in {out}; the same call continues")
