"""The training and validation step, for Lightning."""

from typing import Any

import lightning
import torch
from torch import nn

from training.config import OptimiserConfig
from training.datasets import Batch
from training.errors import TrainingError
from training.losses import vessel_loss
from training.serving_module import normalise


class SegmentationModule(lightning.LightningModule):
    """Trains a network on batches of pixels, truth and weight. Logs `train_loss`, `val_loss` and `val_dice`."""

    def __init__(self, network: nn.Module, optimiser: OptimiserConfig, total_steps: int) -> None:
        super().__init__()
        # Thin convolutions are about twice as fast on CPUs in this layout.
        self.network = network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.optimiser = optimiser
        self.total_steps = total_steps

    def training_step(self, batch: Batch, _index: int) -> torch.Tensor:
        """Return the batch's loss.

        Raises:
            TrainingError: the loss is not a number; going on would only spoil the last good checkpoint.
        """
        loss = self._loss(batch)[0]
        if not torch.isfinite(loss):
            raise TrainingError(
                f"the loss became {loss.item()} in step {self.global_step}; lower optimiser.learning_rate and resume "
                "from the last checkpoint"
            )
        self.log("train_loss", loss, on_step=False, on_epoch=True, batch_size=len(batch[0]))
        return loss

    def validation_step(self, batch: Batch, _index: int) -> None:
        """Log loss and Dice of whole pictures."""
        loss, logits = self._loss(batch)
        _, truth, weight = batch
        found, true = (logits > 0) & (weight > 0), (truth >= 0.5) & (weight > 0)
        dice = 2.0 * (found & true).sum() / (found.sum() + true.sum()).clamp_min(1)
        self.log_dict({"val_loss": loss, "val_dice": dice}, on_epoch=True, batch_size=len(batch[0]))

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Let the schedule follow this run's length: a run may be resumed with more epochs, or with fewer."""
        place = ("last_epoch", "_step_count", "_last_lr")
        states = checkpoint["lr_schedulers"]
        checkpoint["lr_schedulers"] = [{name: state[name] for name in place if name in state} for state in states]

    def configure_optimizers(self) -> Any:
        """Return AdamW with a one-cycle schedule over all steps."""
        adam = torch.optim.AdamW(
            self.parameters(), lr=self.optimiser.learning_rate, weight_decay=self.optimiser.weight_decay
        )
        cycle = torch.optim.lr_scheduler.OneCycleLR(
            adam, self.optimiser.learning_rate, total_steps=self.total_steps, pct_start=0.2
        )
        return {"optimizer": adam, "lr_scheduler": {"scheduler": cycle, "interval": "step"}}

    def _loss(self, batch: Batch) -> tuple[torch.Tensor, torch.Tensor]:
        pixels, truth, weight = batch
        logits = self.network(normalise(pixels).contiguous(memory_format=torch.channels_last))
        return vessel_loss(logits, truth, weight, dice_weight=self.optimiser.dice_weight), logits
