"""The pictures of a split as loaders, for Lightning: fitted once, cropped for every step."""

from collections.abc import Sequence
from typing import Any

import lightning
from lightning.pytorch.loops.progress import _ProcessedTracker
from torch.utils.data import DataLoader

from tasks import TaskSpec
from training.config import TrainingConfig
from training.datasets import Batch, CropDataset, EpochSampler, WholeDataset
from training.fitted import FittedSample


class LoadingModule(lightning.LightningDataModule):
    """Random crops for training, whole pictures for validation.

    Args:
        train, validation: fitted samples; `validation` may be empty.
        task: decides the form of the targets.
        config: of the run.
    """

    def __init__(
        self,
        train: Sequence[FittedSample],
        validation: Sequence[FittedSample],
        task: TaskSpec,
        config: TrainingConfig,
    ) -> None:
        super().__init__()
        self.train_samples = train
        self.validation_samples = validation
        self.task = task
        self.config = config

    def train_dataloader(self) -> DataLoader[Batch]:
        """Return this process's share of the crops; after a resume within an epoch, without those seen before."""
        options = self.config.trainer
        crops = CropDataset(self.train_samples, self.task, self.config)
        rank, world_size = (self.trainer.global_rank, self.trainer.world_size) if self.trainer else (0, 1)
        sampler = EpochSampler(options.crops_per_epoch, rank, world_size)
        full = len(sampler) >= options.batch_size
        loader = self._loader(crops, options.batch_size, sampler=sampler, drop_last=full)
        self._continue(sampler, len(loader))
        return loader

    def val_dataloader(self) -> DataLoader[Batch] | list[Any]:
        """Return the whole pictures."""
        if not self.validation_samples:
            return []
        return self._loader(WholeDataset(self.validation_samples, self.task), 1)

    def _continue(self, sampler: EpochSampler, batches: int) -> None:
        """Let a resumed run begin where it was; Lightning names the epoch only after the first crop was drawn."""
        if not self.trainer:
            return
        loop = self.trainer.fit_loop
        finished = loop.epoch_progress.current
        assert isinstance(finished, _ProcessedTracker)  # noqa: S101 - Lightning's annotation is of its base class
        sampler.set_epoch(finished.processed)
        seen = loop.epoch_loop.batch_progress.current.ready
        sampler.skip = seen * self.config.trainer.batch_size if seen < batches else 0

    def _loader(self, dataset: Any, batch_size: int, **options: Any) -> DataLoader[Batch]:
        workers = self.config.trainer.workers
        return DataLoader(
            dataset, batch_size=batch_size, num_workers=workers, persistent_workers=workers > 0, **options
        )
