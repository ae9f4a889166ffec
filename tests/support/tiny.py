"""Runs of a second or two: a few small pictures, a network of a few thousand weights, nothing recorded."""

from pathlib import Path

TINY = (
    "trainer.epochs=2",
    "trainer.crops_per_epoch=8",
    "trainer.batch_size=2",
    "trainer.crop_px=64",
    "trainer.accelerator=cpu",
    "trainer.ema_decay=0",
    "network.widths=[4,8]",
    "evaluation.resamples=20",
    "data.folds=2",
    "data.validation_share=0.3",
    "tracking=none",
)


def tiny_words(root: Path, out: Path, *more: str, task: str = "vessels") -> list[str]:
    """Return the words of such a run; later words win."""
    return [f"task={task}", f"data.root={root}", f"out={out}", *TINY, *more]
