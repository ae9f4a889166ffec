"""A training run, read top to bottom: data, network, fit, calibrate, judge, keep."""

import json
import math
import signal
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from rich.console import Console
from rich.progress import track

from tasks import Kind, TaskSpec, get_task
from tasks.held_out import FOLDER as HELD_OUT
from training.check import check_config
from training.checkpoints import find_checkpoint
from training.config import TrainingConfig
from training.errors import StoppedError, TrainingError
from training.evaluation import Judgement, evaluate, fit_calibration, intervals, pooled_metrics
from training.evaluation.report import without_nan
from training.failures import explained, kept
from training.fitted import fit_sample
from training.fitting import Fitted, check_devices, fit
from training.gallery import PLOTS, Gallery
from training.held_out import choose_held_out, keep_held_out
from training.networks.summary import summarise
from training.processes import train_in_processes
from training.revision import TOOLS, code_revision, tool_versions
from training.samples import Sample
from training.serving_module import Calibration, ServingModule
from training.sources import data_digest, read_samples
from training.split import Split, assign_folds, split_by_fold
from training.tracking import NoRun, Run, start_run
from training.weights import ModelCard, save_card, save_weights


def train(config: TrainingConfig, console: Console, *, parent_id: str = "") -> Path:
    """Train, judge on held-out subjects, and return the model folder `config.out`.

    The folder then holds the weights and their card, `history.json`, `evaluation.json`, plots, the last checkpoint, and
    under `held_out/` the pictures, truths and offline predictions that later stages measure themselves against.

    Args:
        config: of the run; `trainer.devices` above 1 trains in as many processes.
        console: where progress is shown.
        parent_id: of the tracked run that this one is a part of.

    Raises:
        TrainingError: a configuration or data that cannot be used, or a machine that fails.
    """
    check_config(config)
    check_devices(config.trainer)
    find_checkpoint(config.resume)
    if config.trainer.devices > 1:
        train_in_processes(config, parent_id)
    else:
        train_here(config, console, parent_id=parent_id)
    return Path(config.out)


def train_here(config: TrainingConfig, console: Console, *, rank: int = 0, parent_id: str = "") -> None:
    """Train in this process, as one of `trainer.devices`; only number 0 prints, records, judges and writes.

    Raises:
        TrainingError: as `train`.
    """
    began_s, folder = time.time(), Path(config.out)
    samples, split = read_split(config)
    console.print(f"data: {_described(split)}")
    _warn_of_copies(split, console)
    if rank == 0:
        _prepare_folder(folder)
    digest = data_digest(samples)
    run = start_run(config, config.task, data_digest=digest, parent_id=parent_id) if rank == 0 else NoRun()
    try:
        if rank == 0:
            _require_readable(split.held_out, get_task(config.task), console)
        fitted = fit(config, get_task(config.task), split, folder, run, console)
        if fitted.is_main_process:
            with explained(folder, began_s, recording=run.failures):
                _finish(config, samples, split, fitted, run, console)
    except BaseException as error:
        run.abandon()
        if isinstance(error, KeyboardInterrupt):
            raise StoppedError(signal.SIGINT, kept(folder, began_s)) from error
        raise


def _require_readable(samples: Sequence[Sample], task: TaskSpec, console: Console) -> None:
    """Read what will judge before hours are spent on a network that a damaged picture would leave unjudged."""
    shown = track(samples, "reading held-out pictures", console=console, transient=True)
    for sample in shown if console.is_terminal else samples:
        fit_sample(sample, task)


def _warn_of_copies(split: Split, console: Console) -> None:
    copies = split.copies()
    if copies:
        console.print(
            f"warning: {len(copies)} held-out pictures are trained on as well, such as {' = '.join(copies[0])}: the "
            "figures flatter; ingest the data with on_duplicates=drop, which finds resized copies too",
            style="yellow",
            markup=False,
        )


def read_split(config: TrainingConfig) -> tuple[list[Sample], Split]:
    """Return all samples that the configuration speaks of, with their folds, and how they are divided.

    Raises:
        DataError: data that cannot be read or divided.
    """
    found = read_samples(Path(config.data.root), get_task(config.task), config.data.source)
    used = [sample for sample in found if config.data.official_test == "held_out" or not sample.held_out]
    samples = assign_folds(used, config.data.folds)
    return samples, split_by_fold(samples, config.data.held_out_fold, config.data.validation_share)


@dataclass(frozen=True)
class _Outcome:
    """What a finished run found."""

    fitted: Fitted
    calibration: Calibration
    evaluated: list[Judgement]
    metrics: dict[str, float]
    spread: dict[str, tuple[float, float]]


def _finish(
    config: TrainingConfig, samples: Sequence[Sample], split: Split, fitted: Fitted, run: Run, console: Console
) -> None:
    outcome = _assess(config, split, fitted, console)
    folder = Path(config.out)
    _save_evaluation(outcome, folder)
    card = _card(config, samples, split, outcome, run.run_id)
    save_card(card, folder)
    run.log_outcome(card, folder)
    run.finish(succeeded=True)


def _assess(config: TrainingConfig, split: Split, fitted: Fitted, console: Console) -> _Outcome:
    task, resamples = get_task(config.task), config.evaluation.resamples
    learnt = not split.validation
    with console.status("fitting threshold and temperature"):
        calibration = fit_calibration(fitted.network, split.validation or split.train, task, learnt=learnt)
    module = ServingModule(fitted.network, task, calibration)
    evaluated = _judge(module, split.held_out, config, console)
    metrics = pooled_metrics(evaluated, task)
    console.print("held out: " + _figures(metrics, task))
    with console.status("drawing subjects again for the intervals"):
        spread = intervals(evaluated, task, resamples, config.seed) if resamples else {}
    return _Outcome(fitted, calibration, evaluated, metrics, spread)


def _judge(
    module: ServingModule, samples: Sequence[Sample], config: TrainingConfig, console: Console
) -> list[Judgement]:
    task = get_task(config.task)
    evaluated, gallery = [], Gallery(task)
    chosen = {sample.name for sample in choose_held_out(samples)}
    for item in evaluate(module, samples, task):
        # Without its pixels: a set may have thousands of pictures.
        evaluated.append(item.judgement())
        if item.sample.name in chosen:
            keep_held_out(item, task, Path(config.out) / HELD_OUT)
        gallery.add(item)
        if task.kind is not Kind.CLASSIFICATION:
            shown = _figures(item.metrics, task)
            console.print(f"held out {len(evaluated)}/{len(samples)}  {item.sample.name}  {shown}")
    gallery.save(evaluated, Path(config.out) / PLOTS)
    return evaluated


# What is worth a look, the figure that decides first; evaluation.json has all of them.
SHOWN = {
    Kind.BINARY_SEGMENTATION: ("dice", "roc_auc", "accuracy", "sensitivity", "specificity"),
    Kind.SEMANTIC_SEGMENTATION: ("mean_iou", "accuracy"),
    Kind.CLASSIFICATION: ("macro_f1", "accuracy", "roc_auc_ovr", "ece"),
}


def main_metric(task: TaskSpec) -> str:
    """Return the name of the figure by which two models of a task are compared; more is better."""
    return SHOWN[task.kind][0]


def _figures(metrics: dict[str, float], task: TaskSpec) -> str:
    return "  ".join(f"{name} {metrics[name]:.4f}" for name in SHOWN[task.kind] if name in metrics)


def _described(split: Split) -> str:
    groups = {"train": split.train, "validation": split.validation, "held out": split.held_out}
    return "; ".join(
        f"{name} {len(group)} pictures of {len({sample.subject for sample in group})} subjects"
        for name, group in groups.items()
    )


def _card(config: TrainingConfig, samples: Sequence[Sample], split: Split, outcome: _Outcome, run_id: str) -> ModelCard:
    network = outcome.fitted.network
    summary = summarise(network, get_task(config.task))
    return ModelCard(
        task=config.task,
        network=asdict(config.network),
        calibration=asdict(outcome.calibration),
        weights_sha256=save_weights(network, Path(config.out)),
        data_digest=data_digest(samples),
        trained_on=sorted(sample.digest[:16] for sample in (*split.train, *split.validation)),
        subjects=split.subjects(),
        judged_on=sorted(sample.digest[:16] for sample in split.held_out),
        metrics={name: value for name, value in outcome.metrics.items() if math.isfinite(value)},
        intervals={name: list(bounds) for name, bounds in outcome.spread.items() if math.isfinite(sum(bounds))},
        parameters=summary.parameters,
        gflops=round(summary.gflops, 3),
        run_id=run_id,
        code_revision=code_revision(),
        versions=tool_versions(*TOOLS),
        config=asdict(config),
    )


def _save_evaluation(outcome: _Outcome, folder: Path) -> None:
    per_image = {item.sample.name: item.metrics for item in outcome.evaluated}
    figures = {"pooled": outcome.metrics, "intervals": outcome.spread, "per_image": per_image}
    (folder / "history.json").write_text(json.dumps(without_nan(outcome.fitted.history), indent=2))
    (folder / "evaluation.json").write_text(json.dumps(without_nan(figures), indent=2))


def _prepare_folder(folder: Path) -> Path:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise TrainingError(f"the folder {folder} cannot be written ({error}); name another one with out=") from error
    return folder
