"""Who is trained on, who steers the training and who judges it. A person is never on two sides."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from training.errors import DataError
from training.sources import Sample


@dataclass(frozen=True)
class Split:
    """Three groups of samples with no subject in common."""

    train: tuple[Sample, ...]
    validation: tuple[Sample, ...]
    held_out: tuple[Sample, ...]

    def subjects(self) -> dict[str, list[str]]:
        """Return the subjects of each group, sorted."""
        groups = {"train": self.train, "validation": self.validation, "held_out": self.held_out}
        return {name: sorted({sample.subject for sample in group}) for name, group in groups.items()}


def split_by_subject(samples: Sequence[Sample], *, held_out_share: float, validation_share: float) -> Split:
    """Divide the samples by subject: the last subjects in order are held out, those before them validate.

    A set's official test subjects are held out instead where it has them.

    Args:
        samples: all of a data set.
        held_out_share: share of the subjects to hold out, 0–1, rounded up to whole subjects.
        validation_share: share of the remaining subjects, likewise.

    Raises:
        DataError: too few subjects for three groups, or one subject on both sides of an official split.
    """
    official = {sample.subject for sample in samples if sample.held_out}
    if official & {sample.subject for sample in samples if not sample.held_out}:
        raise DataError("the data set's own split has a subject on both sides; correct its folders")
    subjects = sorted({sample.subject for sample in samples})
    held_out = official or set(subjects[-math.ceil(held_out_share * len(subjects)) :])
    others = [subject for subject in subjects if subject not in held_out]
    validation = set(others[-math.ceil(validation_share * len(others)) :])
    if len(others) < 2:
        raise DataError(f"{len(subjects)} subjects are too few: three groups without a common subject need at least 3")
    return Split(
        train=tuple(sample for sample in samples if sample.subject not in held_out | validation),
        validation=tuple(sample for sample in samples if sample.subject in validation),
        held_out=tuple(sample for sample in samples if sample.subject in held_out),
    )
