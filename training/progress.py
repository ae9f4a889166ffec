"""What a run shows while it trains: one line an epoch, and a bar inside the epoch where there is a terminal."""

import time
from typing import Any

from lightning import LightningModule, Trainer
from lightning.pytorch.callbacks import Callback
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn


class EpochProgress(Callback):
    """Prints progress with the time left; keeps the curves for `history.json`."""

    def __init__(self, console: Console) -> None:
        self.console = console
        self.history: list[dict[str, float]] = []
        self._bar = Progress(
            TextColumn("training"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("steps, left"),
            TimeRemainingColumn(),
            console=console,
            transient=True,
            disable=not console.is_terminal,
        )
        self._task: TaskID | None = None
        self._started_s = 0.0
        self._done_before = 0

    def state_dict(self) -> dict[str, Any]:
        """Return the curves so far: a resumed run continues them."""
        return {"history": self.history}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take the curves back."""
        self.history = list(state_dict["history"])

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Start the clock."""
        del pl_module
        self._started_s = time.monotonic()
        self._done_before = trainer.global_step
        self._bar.start()
        self._task = self._bar.add_task("steps", total=trainer.estimated_stepping_batches, completed=self._done_before)

    def on_train_batch_end(self, trainer: Trainer, *_: Any) -> None:
        """Move the bar."""
        if self._task is not None:
            self._bar.update(self._task, completed=trainer.global_step)

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Print the epoch's line."""
        del pl_module
        figures = {name: float(value) for name, value in trainer.callback_metrics.items()}
        self.history.append({"epoch": trainer.current_epoch + 1, **figures})
        steps, total = trainer.global_step, int(trainer.estimated_stepping_batches)
        per_step_s = (time.monotonic() - self._started_s) / max(steps - self._done_before, 1)
        shown = "  ".join(f"{name} {value:.4f}" for name, value in sorted(figures.items()))
        self.console.print(
            f"epoch {trainer.current_epoch + 1}/{trainer.max_epochs}  {shown}  "
            f"{per_step_s * 1000:.0f} ms/step  {max(total - steps, 0) * per_step_s:.0f} s left"
        )

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Remove the bar."""
        del trainer, pl_module
        self._bar.stop()

    def on_exception(self, trainer: Trainer, pl_module: LightningModule, exception: BaseException) -> None:
        """Remove the bar, so that the error is readable."""
        del trainer, pl_module, exception
        self._bar.stop()
