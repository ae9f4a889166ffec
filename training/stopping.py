"""Signals end a run between two steps: in the middle of one the weights would be half old and half new."""

import signal
import threading
from pathlib import Path
from types import FrameType
from typing import Any

from lightning import LightningModule, Trainer
from lightning.pytorch.callbacks import Callback
from rich.console import Console

from training.errors import StoppedError

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


class StopBetweenSteps(Callback):
    """Answers the first signal with a checkpoint after the optimiser's step, the second one at once.

    Args:
        checkpoint: where the state is written; a resumed run goes on with the step that would have been next.
        console: where it says that it has heard.

    Attributes:
        requested: number of the signal, None if there was none. One that comes too late to stop a step stays here.
    """

    def __init__(self, checkpoint: Path, console: Console) -> None:
        self.checkpoint = checkpoint
        self.console = console
        self.requested: int | None = None
        self._before: dict[signal.Signals, Any] = {}

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Listen; Lightning's own handlers, which stop anywhere, are put aside."""
        del trainer, pl_module
        if threading.current_thread() is threading.main_thread():
            self._before = {number: signal.signal(number, self._heard) for number in _SIGNALS}

    def on_train_batch_end(self, trainer: Trainer, pl_module: LightningModule, *batch: Any) -> None:
        """Write a checkpoint and stop, if told to and if the gradients of this batch have become a step."""
        del pl_module
        number = int(batch[2])
        wanted = self.requested is not None
        if trainer.world_size > 1:
            # A signal may reach one process only, and a checkpoint is written by all of them together.
            wanted = trainer.strategy.reduce_boolean_decision(wanted, all=False)
        if wanted and not trainer.is_last_batch and (number + 1) % trainer.accumulate_grad_batches == 0:
            trainer.save_checkpoint(self.checkpoint)
            raise StoppedError(self.requested or signal.SIGTERM, "")

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Listen no longer."""
        del trainer, pl_module
        self._restore()

    def on_exception(self, trainer: Trainer, pl_module: LightningModule, exception: BaseException) -> None:
        """Listen no longer."""
        del trainer, pl_module, exception
        self._restore()

    def _heard(self, number: int, frame: FrameType | None) -> None:
        del frame
        if self.requested is not None:
            raise KeyboardInterrupt
        self.requested = number
        self.console.print("stopping after this step; once more stops at once")

    def _restore(self) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
        self._before = {}
