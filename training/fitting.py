"""Fitting a network to samples: the Lightning run from seeds to trained weights, with every way it can end."""

import shutil
import signal
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import lightning
import numpy as np
import torch
from lightning.fabric.utilities.exceptions import MisconfigurationException
from lightning.pytorch.callbacks import Callback, EarlyStopping, EMAWeightAveraging, ModelCheckpoint
from rich.console import Console

from tasks import TaskSpec
from tasks.held_out import FOLDER as HELD_OUT
from training.checkpoints import BEST, CHECKPOINT, INTERRUPTED, check_checkpoint, find_checkpoint, origin
from training.config import TrainerConfig, TrainingConfig
from training.datasets import LOWEST_WEIGHT, class_frequencies
from training.errors import ConfigError, DataError, StoppedError
from training.failures import explained, kept
from training.fitted import FittedPictures
from training.gallery import PLOTS
from training.loading import LoadingModule
from training.module import VALIDATION_SCORES, TrainingModule
from training.networks import build_network
from training.networks.summary import summarise
from training.networks.symmetry import share, written_out
from training.progress import EpochProgress
from training.split import Split
from training.stopping import StopBetweenSteps
from training.tracking import Run
from training.weights import CARD_FILE


@dataclass(frozen=True)
class Fitted:
    """A trained network in evaluation mode, its curves, and whether this process is the one that goes on."""

    network: torch.nn.Module
    history: list[dict[str, float]]
    is_main_process: bool


def fit(
    config: TrainingConfig,
    task: TaskSpec,
    split: Split,
    folder: Path,
    run: Run,
    console: Console,
    callbacks: Sequence[Callback] = (),
) -> Fitted:
    """Train on `split.train`, steered by `split.validation`; further callbacks see every epoch.

    Raises:
        TrainingError: data or a configuration that cannot be used, a loss that is not a number, or a machine that
            fails.
        StoppedError: a signal; the folder holds a checkpoint if anything was learnt.
    """
    lightning.seed_everything(config.seed, workers=True, verbose=False)
    if config.trainer.threads:
        torch.set_num_threads(config.trainer.threads)
    train, validation = (
        FittedPictures(group, task, config.data.memory_mb, console) for group in (split.train, split.validation)
    )
    _require_labels(train)
    loading = LoadingModule(train, validation, task, config)
    network = build_network(config.network, task)
    console.print(f"network: {config.network.name}, {summarise(network, task)}")
    network = share(network, config.network.symmetry)
    module = TrainingModule(network, task, config, _class_weights(config, loading, task), _steps(config))
    module.origin = origin(config, split.train)
    progress, stop = EpochProgress(console), StopBetweenSteps(folder / INTERRUPTED, console)
    own = _callbacks(config, task, folder, validates=bool(split.validation))
    trainer = _trainer(config.trainer, run, [progress, *own[:-1], *callbacks, stop, own[-1]])
    _run(trainer, module, loading, config, folder, run, stop)
    return Fitted(written_out(module.network.cpu().eval()), progress.history, trainer.is_global_zero)


def _require_labels(pictures: FittedPictures) -> None:
    if not any((picture.weight >= LOWEST_WEIGHT).any() for picture in pictures):
        raise DataError("no pixel of the training pictures has a label; there is nothing to learn from them")


def check_devices(config: TrainerConfig) -> None:
    """Refuse processors that this machine has not, before any data is read.

    Raises:
        ConfigError: names what there is.
    """
    found = torch.cuda.device_count()
    if config.accelerator == "gpu" and config.devices > found:
        raise ConfigError(
            f"trainer.accelerator=gpu with trainer.devices={config.devices}, and this machine has {found} GPUs that "
            "PyTorch can use; give trainer.accelerator=cpu or fewer devices"
        )


def _run(
    trainer: lightning.Trainer,
    module: TrainingModule,
    loading: LoadingModule,
    config: TrainingConfig,
    folder: Path,
    run: Run,
    stop: StopBetweenSteps,
) -> None:
    checkpoint, began_s = find_checkpoint(config.resume), time.time()
    if checkpoint is not None:
        check_checkpoint(checkpoint, module.state_dict(), module.origin, config.trainer.epochs)
    if trainer.is_global_zero:
        _clear(folder, checkpoint)
    try:
        with explained(folder, began_s, checkpoint, run.failures):
            trainer.fit(module, datamodule=loading, ckpt_path=checkpoint, weights_only=True)
    except (SystemExit, KeyboardInterrupt, StoppedError) as stopped:
        # Lightning makes an exit of the second signal, and of one that comes before the first step.
        number = getattr(stopped, "signal_number", None) or stop.requested or signal.SIGINT
        raise StoppedError(number, kept(folder, began_s, checkpoint)) from stopped
    if stop.requested is not None:
        raise StoppedError(stop.requested, kept(folder, began_s, checkpoint))
    _take_final_weights(trainer, module, config.trainer, folder)
    if trainer.is_global_zero:
        (folder / INTERRUPTED).unlink(missing_ok=True)


def _clear(folder: Path, checkpoint: Path | None) -> None:
    """Remove what an earlier run left and this one will write anew; not sooner: a refused call changes nothing."""
    (folder / CARD_FILE).unlink(missing_ok=True)
    for old in (HELD_OUT, PLOTS):
        shutil.rmtree(folder / old, ignore_errors=True)
    if checkpoint is not None and checkpoint.parent.resolve() == folder.resolve():
        return
    # The best epoch so far is one of the run that goes on, wherever it began.
    (folder / BEST).unlink(missing_ok=True)
    if checkpoint is not None and (checkpoint.parent / BEST).is_file():
        shutil.copyfile(checkpoint.parent / BEST, folder / BEST)


def _take_final_weights(
    trainer: lightning.Trainer, module: TrainingModule, config: TrainerConfig, folder: Path
) -> None:
    for callback in trainer.callbacks:  # type: ignore[attr-defined]
        if isinstance(callback, EMAWeightAveraging):
            # A finished run that is resumed takes no step, and Lightning then leaves the average aside.
            callback.on_train_end(trainer, module)
    if config.patience and (folder / BEST).is_file():
        module.load_state_dict(torch.load(folder / BEST, map_location="cpu", weights_only=True)["state_dict"])


def _class_weights(config: TrainingConfig, loading: LoadingModule, task: TaskSpec) -> torch.Tensor | None:
    """Return weights whose mean over the training part is 1."""
    if config.loss.class_weights == "none":
        return None
    frequency = np.maximum(class_frequencies(loading.train_samples, task), 1e-4)
    weights = frequency ** (-0.5 if config.loss.class_weights == "sqrt" else -1.0)
    return torch.from_numpy(weights / (weights * frequency).sum()).float()


def _steps(config: TrainingConfig) -> int:
    trainer = config.trainer
    batches = max(trainer.crops_per_epoch // trainer.devices // trainer.batch_size, 1)
    return trainer.epochs * -(-batches // trainer.accumulate)


def _trainer(config: TrainerConfig, run: Run, callbacks: list[Callback]) -> lightning.Trainer:
    try:
        return lightning.Trainer(
            max_epochs=config.epochs,
            accelerator=config.accelerator,
            devices=config.devices,
            strategy=config.strategy,
            precision=config.precision,  # type: ignore[arg-type]
            accumulate_grad_batches=config.accumulate,
            gradient_clip_val=config.clip_norm or None,
            deterministic=True,
            logger=run.logger,
            callbacks=callbacks,
            enable_progress_bar=False,
            enable_model_summary=False,
            num_sanity_val_steps=0,
            log_every_n_steps=10,
            use_distributed_sampler=False,
        )
    except (MisconfigurationException, ValueError) as error:
        said = str(error).splitlines()[0]
        raise ConfigError(f"trainer.accelerator, devices, strategy and precision do not fit: {said}") from error


def _callbacks(config: TrainingConfig, task: TaskSpec, folder: Path, *, validates: bool) -> list[Callback]:
    """Return what averages, stops early and keeps; what keeps the last state comes last and keeps the others' too."""
    callbacks: list[Callback] = []
    if config.trainer.ema_decay:
        callbacks.append(EMAWeightAveraging(decay=config.trainer.ema_decay))
    if config.trainer.patience and validates:
        score = VALIDATION_SCORES[task.kind]
        callbacks.append(EarlyStopping(score, mode="max", patience=config.trainer.patience))
        best = Path(BEST).stem
        callbacks.append(ModelCheckpoint(folder, best, score, mode="max", enable_version_counter=False))
    callbacks.append(ModelCheckpoint(folder, filename=Path(CHECKPOINT).stem, enable_version_counter=False))
    return callbacks
