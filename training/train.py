"""A training run, read top to bottom: data, network, fit, judge, keep."""

import json
import shutil
import signal
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import lightning
import torch
from lightning.pytorch.callbacks import ModelCheckpoint, OnExceptionCheckpoint
from lightning.pytorch.utilities.exceptions import SIGTERMException
from PIL import Image
from rich.console import Console
from torch.utils.data import DataLoader

from tasks import TaskSpec, get_task
from tasks.held_out import FOLDER as HELD_OUT
from training.config import TrainingConfig, check_config
from training.datasets import Batch, CropDataset, EpochSampler, WholeDataset, fit_sample
from training.errors import ConfigError, StoppedError, TrainingError
from training.evaluate import Evaluated, evaluate, pooled_metrics
from training.module import SegmentationModule
from training.networks import build_network
from training.progress import EpochProgress
from training.revision import code_revision, tool_versions
from training.serving_module import ServingModule
from training.sources import Sample, data_digest, read_samples
from training.split import Split, split_by_subject
from training.tracking import Run
from training.weights import ModelCard, save_card, save_weights

CHECKPOINT = "checkpoint.ckpt"
INTERRUPTED = "interrupted.ckpt"


def train(config: TrainingConfig, console: Console) -> Path:
    """Train, judge on held-out subjects, and return the model folder `config.out`.

    The folder then holds the weights and their card, `history.json`, `evaluation.json`, the last checkpoint, and under
    `held_out/` the pictures, masks and offline predictions that later stages measure themselves against.

    Raises:
        TrainingError: a configuration or data that cannot be used.
    """
    check_config(config)
    checkpoint = _checkpoint_to_resume(config.resume)
    task = get_task(config.task)
    samples = read_samples(Path(config.data.root))
    split = split_by_subject(
        samples, held_out_share=config.data.held_out_share, validation_share=config.data.validation_share
    )
    folder = _prepare_folder(Path(config.out))
    console.print(f"data: {len(samples)} pictures; subjects {split.subjects()}")
    run = Run(config.tracking, config.task)
    network, history = _fit(config, task, split, folder, run, checkpoint, console)
    evaluated = _judge(network, split.held_out, task, folder, console)
    metrics = pooled_metrics(evaluated)
    (folder / "history.json").write_text(json.dumps(history, indent=2))
    _save_evaluation(evaluated, metrics, folder)
    save_card(
        ModelCard(
            task=config.task,
            network=config.network.name,
            widths=list(config.network.widths),
            weights_sha256=save_weights(network, folder),
            data_digest=data_digest(samples),
            subjects=split.subjects(),
            metrics=metrics,
            mlflow_run=run.run_id,
            code_revision=code_revision(),
            versions=tool_versions("torch", "lightning", "albumentations", "numpy", "opencv-python-headless"),
            config=asdict(config),
        ),
        folder,
    )
    _track(run, config, metrics, folder)
    return folder


def _fit(
    config: TrainingConfig,
    task: TaskSpec,
    split: Split,
    folder: Path,
    run: Run,
    checkpoint: Path | None,
    console: Console,
) -> tuple[torch.nn.Module, list[dict[str, float]]]:
    lightning.seed_everything(config.seed, workers=True, verbose=False)
    if config.trainer.threads:
        torch.set_num_threads(config.trainer.threads)
    network = build_network(config.network.name, len(task.classes) - 1, config.network.widths)
    train_loader, validation_loader = _loaders(config, task, split)
    module = SegmentationModule(network, config.optimiser, config.trainer.epochs * len(train_loader))
    progress = EpochProgress(console)
    trainer = _trainer(config, folder, run, progress)
    try:
        trainer.fit(module, train_loader, validation_loader, ckpt_path=checkpoint, weights_only=True)
    except SystemExit as stop:
        # Lightning has saved the checkpoint and turned Ctrl-C and SIGTERM into an exit, the latter with status 0.
        number = signal.SIGTERM if isinstance(stop, SIGTERMException) else signal.SIGINT
        raise StoppedError(number, folder) from stop
    finally:
        if not trainer.state.finished:
            run.finish(succeeded=False)
    return module.network, progress.history


def _loaders(config: TrainingConfig, task: TaskSpec, split: Split) -> tuple[DataLoader[Batch], DataLoader[Batch]]:
    crops = CropDataset(
        [fit_sample(sample, task) for sample in split.train],
        config.augmentation,
        config.trainer.crop_px,
        config.seed,
    )
    whole = WholeDataset([fit_sample(sample, task) for sample in split.validation])
    workers = config.trainer.workers
    train_loader = DataLoader(
        crops,
        batch_size=config.trainer.batch_size,
        sampler=EpochSampler(config.trainer.crops_per_epoch),
        num_workers=workers,
        persistent_workers=workers > 0,
    )
    return train_loader, DataLoader(whole, batch_size=1)


def _trainer(config: TrainingConfig, folder: Path, run: Run, progress: EpochProgress) -> lightning.Trainer:
    return lightning.Trainer(
        max_epochs=config.trainer.epochs,
        accelerator=config.trainer.accelerator,
        precision=config.trainer.precision,  # type: ignore[arg-type]
        deterministic=True,
        logger=run.logger,
        callbacks=[
            progress,
            ModelCheckpoint(folder, filename=Path(CHECKPOINT).stem, enable_version_counter=False),
            # Ctrl-C and errors leave what was learnt so far; a run that succeeds removes this file again.
            OnExceptionCheckpoint(folder, filename=Path(INTERRUPTED).stem),
        ],
        enable_progress_bar=False,
        enable_model_summary=False,
        num_sanity_val_steps=0,
        log_every_n_steps=10,
        use_distributed_sampler=False,
    )


def _judge(
    network: torch.nn.Module, samples: Sequence[Sample], task: TaskSpec, folder: Path, console: Console
) -> list[Evaluated]:
    evaluated = []
    for item in evaluate(ServingModule(network).cpu(), samples, task):
        evaluated.append(item)
        _keep_held_out(item, folder / HELD_OUT)
        shown = "  ".join(f"{name} {value:.4f}" for name, value in item.metrics.items())
        console.print(f"held out {len(evaluated)}/{len(samples)}  {item.sample.name}  {shown}")
    return evaluated


def _keep_held_out(item: Evaluated, folder: Path) -> None:
    """Hand the picture, its masks and the offline prediction on to the stages that follow."""
    for part, source in (
        ("images", item.sample.image),
        ("truth", item.sample.vessels),
        ("field_of_view", item.sample.field_of_view),
    ):
        (folder / part).mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, folder / part / f"{item.sample.name}{source.suffix.lower()}")
    (folder / "probability").mkdir(exist_ok=True)
    Image.fromarray(item.prediction.probability).save(folder / "probability" / f"{item.sample.name}.png")


def _save_evaluation(evaluated: Sequence[Evaluated], metrics: dict[str, float], folder: Path) -> None:
    per_image = {item.sample.name: item.metrics for item in evaluated}
    (folder / "evaluation.json").write_text(json.dumps({"pooled": metrics, "per_image": per_image}, indent=2))


def _track(run: Run, config: TrainingConfig, metrics: dict[str, float], folder: Path) -> None:
    params: dict[str, Any] = asdict(config)
    run.log_params(params)
    run.log_metrics(metrics)
    for name in ("model.json", "model.safetensors", "history.json", "evaluation.json"):
        run.log_file(folder / name)
    run.finish(succeeded=True)


def _checkpoint_to_resume(resume: str | None) -> Path | None:
    if resume is None:
        return None
    path = Path(resume)
    candidates = [path / INTERRUPTED, path / CHECKPOINT] if path.is_dir() else [path]
    found = [candidate for candidate in candidates if candidate.is_file()]
    if not found:
        raise ConfigError(f"there is no checkpoint in {path} to resume; leave resume= out to start anew")
    return max(found, key=lambda candidate: candidate.stat().st_mtime)


def _prepare_folder(folder: Path) -> Path:
    """Make the run's folder and remove what an earlier run left that this one will write anew."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "model.json").unlink(missing_ok=True)
        shutil.rmtree(folder / HELD_OUT, ignore_errors=True)
    except OSError as error:
        raise TrainingError(f"the folder {folder} cannot be written ({error}); name another one with out=") from error
    return folder
