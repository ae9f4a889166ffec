"""The training and validation step, for Lightning."""

import math
from typing import Any

import lightning
import numpy as np
import torch
from torch import nn
from torchmetrics import Metric
from torchmetrics.classification import BinaryF1Score, MulticlassF1Score, MulticlassJaccardIndex

from tasks import Kind, TaskSpec
from training.augmentation import mixing_share
from training.checkpoints import ORIGIN
from training.config import OptimiserConfig, ScheduleConfig, TrainingConfig
from training.datasets import Batch
from training.errors import DivergedError
from training.losses import LOSSES
from training.serving_module import normalise

# What steers early stopping and is logged for every epoch, by kind of task.
VALIDATION_SCORES = {
    Kind.BINARY_SEGMENTATION: "val_dice",
    Kind.SEMANTIC_SEGMENTATION: "val_mean_iou",
    Kind.CLASSIFICATION: "val_macro_f1",
}


class TrainingModule(lightning.LightningModule):
    """Trains a network on batches of pixels, target and weight. Logs `train_loss`, `val_loss` and a validation score.

    Args:
        network: what `build_network` returned.
        task: decides the loss's form and the score.
        config: of the run.
        class_weights: float (outputs,), or None.
        total_steps: of the optimiser, over the whole run.

    Attributes:
        origin: what a checkpoint says of the run that wrote it, see `training.checkpoints.origin`.
    """

    def __init__(
        self,
        network: nn.Module,
        task: TaskSpec,
        config: TrainingConfig,
        class_weights: torch.Tensor | None,
        total_steps: int,
    ) -> None:
        super().__init__()
        # Thin convolutions are about twice as fast on CPUs in this layout.
        self.network = network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.task = task
        self.config = config
        self.total_steps = total_steps
        self.origin: dict[str, str] = {}
        self.register_buffer("class_weights", class_weights, persistent=False)
        self.score = _score(task)

    def on_train_batch_start(self, batch: Batch, batch_idx: int) -> None:
        """Make dropout a function of step and process, so that a resumed run repeats it exactly."""
        del batch
        # Process 0 draws as if it were alone.
        place = (self.config.seed, self.current_epoch, batch_idx, self.global_rank)
        torch.manual_seed(int(np.random.default_rng(place if self.global_rank else place[:3]).integers(2**31)))

    def training_step(self, batch: Batch, batch_idx: int) -> torch.Tensor:
        """Return the batch's loss.

        Raises:
            DivergedError: the loss is not a number; going on would only spoil the last good checkpoint.
        """
        loss = self._mixed_loss(batch, batch_idx)
        if not torch.isfinite(loss):
            raise DivergedError(
                f"the loss became {loss.item()} in step {self.global_step}; lower optimiser.learning_rate and resume "
                f"from the last finished epoch, {self.current_epoch}"
                if self.current_epoch
                else f"the loss became {loss.item()} in step {self.global_step} of the first epoch, so nothing was "
                "kept; lower optimiser.learning_rate"
            )
        self.log("train_loss", loss, on_step=False, on_epoch=True, batch_size=len(batch[0]))
        return loss

    def validation_step(self, batch: Batch, _index: int) -> None:
        """Log loss and score of whole pictures."""
        pixels, target, weight = batch
        logits = self._logits(pixels)[-1]
        counted = weight > 0
        if self.task.kind is Kind.BINARY_SEGMENTATION:
            self.score.update(logits[counted].sigmoid(), (target[counted] >= 0.5).long())
        else:
            self.score.update(logits.argmax(dim=1)[counted], target[counted])
        loss = self._loss([logits], target, weight)
        size = len(pixels)
        self.log("val_loss", loss, on_epoch=True, batch_size=size, sync_dist=True)
        self.log(VALIDATION_SCORES[self.task.kind], self.score, on_epoch=True, batch_size=size)

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Add what has to stay as it is for the checkpoint to make sense."""
        checkpoint[ORIGIN] = dict(self.origin)

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Let rates and schedule follow this run's words: it may be resumed with more epochs or a lower rate."""
        place = ("last_epoch", "_step_count", "_last_lr", "lr_lambdas")
        states = checkpoint["lr_schedulers"]
        checkpoint["lr_schedulers"] = [{name: state[name] for name in place if name in state} for state in states]
        config, step = self.config.optimiser, int(states[0]["last_epoch"])
        rate = config.learning_rate * rate_at(step, self.total_steps, self.config.schedule)
        told = {"lr": rate, "initial_lr": config.learning_rate}
        if config.name == "sgd":
            told |= {"momentum": config.momentum, "nesterov": config.momentum > 0}
        decays = (config.weight_decay, 0.0)
        for group, decay in zip(checkpoint["optimizer_states"][0]["param_groups"], decays, strict=True):
            group.update(told | {"weight_decay": decay})

    def configure_optimizers(self) -> Any:
        """Return the optimiser and its schedule over all steps."""
        optimiser = _optimiser(self.network, self.config.optimiser)
        schedule = torch.optim.lr_scheduler.LambdaLR(
            optimiser, lambda step: rate_at(step, self.total_steps, self.config.schedule)
        )
        return {"optimizer": optimiser, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}

    def _mixed_loss(self, batch: Batch, batch_idx: int) -> torch.Tensor:
        pixels, target, weight = batch
        share = mixing_share(self.config.augmentation, (self.config.seed, 2, self.current_epoch, batch_idx))
        if share == 1.0:
            return self._loss(self._logits(pixels), target, weight)
        logits = self._logits(share * pixels + (1 - share) * pixels.flip(0))
        mixed = self._loss(logits, target.flip(0), weight.flip(0))
        return share * self._loss(logits, target, weight) + (1 - share) * mixed

    def _logits(self, pixels: torch.Tensor) -> list[torch.Tensor]:
        """Return the logits of every supervised output, the answer last."""
        answer = self.network(normalise(pixels).contiguous(memory_format=torch.channels_last))
        return answer if isinstance(answer, list) else [answer]

    def _loss(self, logits: list[torch.Tensor], target: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
        loss, _ = LOSSES[self.config.loss.name]
        weights = self.class_weights if isinstance(self.class_weights, torch.Tensor) else None
        losses = [loss(one.float(), target, weight, self.config.loss, weights) for one in logits]
        return torch.stack(losses).mean()


def rate_at(step: int, total_steps: int, config: ScheduleConfig) -> float:
    """Return the learning rate of a step as a share of its peak.

    Linear warm-up (Goyal et al., 2017), then a cosine (Loshchilov and Hutter, "SGDR", ICLR 2017).
    """
    warmup = config.warmup_share * total_steps
    if step < warmup:
        return (step + 1) / (warmup + 1)
    progress = min((step - warmup) / max(total_steps - warmup, 1), 1.0)
    return config.final_ratio + (1 - config.final_ratio) * (1 + math.cos(math.pi * progress)) / 2


def _optimiser(network: nn.Module, config: OptimiserConfig) -> torch.optim.Optimizer:
    # Decaying biases and normalisation scales only shifts what the next layer has to undo.
    decayed = [parameter for parameter in network.parameters() if parameter.ndim > 1]
    others = [parameter for parameter in network.parameters() if parameter.ndim <= 1]
    groups = [{"params": decayed, "weight_decay": config.weight_decay}, {"params": others, "weight_decay": 0.0}]
    if config.name == "sgd":
        return torch.optim.SGD(groups, lr=config.learning_rate, momentum=config.momentum, nesterov=config.momentum > 0)
    return torch.optim.AdamW(groups, lr=config.learning_rate)


def _score(task: TaskSpec) -> Metric:
    if task.kind is Kind.BINARY_SEGMENTATION:
        return BinaryF1Score()
    if task.kind is Kind.SEMANTIC_SEGMENTATION:
        return MulticlassJaccardIndex(task.outputs, average="macro")
    return MulticlassF1Score(task.outputs, average="macro")
