"""Who is trained on, who steers the training and who judges it. A subject is never on two sides."""

import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from sklearn.model_selection import StratifiedGroupKFold

from training.errors import DataError
from training.samples import Sample


@dataclass(frozen=True)
class Split:
    """Three groups of samples with no subject in common; `validation` may be empty."""

    train: tuple[Sample, ...]
    validation: tuple[Sample, ...]
    held_out: tuple[Sample, ...]

    def subjects(self) -> dict[str, list[str]]:
        """Return the subjects of each group, sorted."""
        groups = {"train": self.train, "validation": self.validation, "held_out": self.held_out}
        return {name: sorted({sample.subject for sample in group}) for name, group in groups.items()}

    def copies(self) -> list[tuple[str, str]]:
        """Return the names of held-out pictures with the one of the other groups that is the same file and label."""
        learnt = {sample.digest: sample.name for sample in (*self.train, *self.validation)}
        return [(sample.name, learnt[sample.digest]) for sample in self.held_out if sample.digest in learnt]


def assign_folds(samples: Sequence[Sample], folds: int, seed: int = 0) -> list[Sample]:
    """Return the samples with a fold each, all of a subject in the same one; repeatable, whatever their order.

    Classified subjects are spread so that every fold has about the same share of each class (scikit-learn's
    StratifiedGroupKFold); others are cut in order into runs of about equal length. Folds that are there already stay.

    Args:
        samples: all of a data set.
        folds: how many; 2 to the number of subjects.
        seed: of the shuffle of classified subjects.

    Raises:
        DataError: fewer subjects or pictures of a class than folds, or folds only for some samples.
    """
    assigned = [sample for sample in samples if sample.fold is not None]
    if assigned and len(assigned) < len(samples):
        raise DataError(f"{len(samples) - len(assigned)} of {len(samples)} samples have no fold; ingest the data again")
    if assigned:
        return _checked(samples, folds)
    # An official test part has folds of its own: who leaves it out finds the others divided as if it were not there.
    parts = [[sample for sample in samples if bool(sample.held_out) is official] for official in (False, True)]
    return [sample for part in parts if part for sample in _divided(part, folds, seed, of_test=part is parts[1])]


def _checked(samples: Sequence[Sample], folds: int) -> list[Sample]:
    found = 1 + max(sample.fold or 0 for sample in samples)
    if found != folds:
        raise DataError(f"the dataset was ingested with {found} folds; give data.folds={found}, or ingest it anew")
    return list(samples)


def _divided(samples: Sequence[Sample], folds: int, seed: int, *, of_test: bool) -> list[Sample]:
    ordered = sorted(samples, key=lambda sample: (sample.subject, sample.name))
    subjects = sorted({sample.subject for sample in ordered})
    folds = min(folds, len(subjects)) if of_test else folds
    if folds > len(subjects) or (folds < 2 and not of_test):
        possible = f"give 2 to {len(subjects)}" if len(subjects) > 1 else "at least two are needed, one to be held out"
        raise DataError(f"{folds} folds do not fit {len(subjects)} subjects; {possible}")
    if folds > 1 and all(sample.label is not None for sample in ordered):
        return _stratified(ordered, folds, seed)
    fold_of = {subject: index * folds // len(subjects) for index, subject in enumerate(subjects)}
    return [replace(sample, fold=fold_of[sample.subject]) for sample in ordered]


def split_by_fold(samples: Sequence[Sample], held_out_fold: int, validation_share: float) -> Split:
    """Divide samples that have folds: one fold is held out, the last subjects of the others validate.

    A set's official test subjects are held out instead where it has them.

    Args:
        samples: with folds, see `assign_folds`.
        held_out_fold: from 0, or from the end if negative.
        validation_share: of the remaining subjects, 0–1, rounded up to whole subjects; 0 for none.

    Raises:
        DataError: no such fold, nothing left to train on, or one subject on both sides of an official split.
    """
    official = {sample.subject for sample in samples if sample.held_out}
    if official & {sample.subject for sample in samples if not sample.held_out}:
        raise DataError("the data set's own split has a subject on both sides; correct its folders")
    held_out = official or _subjects_of_fold(samples, held_out_fold)
    others = _ordered([sample for sample in samples if sample.subject not in held_out])
    count = math.ceil(validation_share * len(others)) if validation_share else 0
    validation = set(others[len(others) - count :])
    if len(others) <= count:
        raise DataError(f"{len(held_out) + len(others)} subjects are too few: nothing would be left to train on")
    return Split(
        train=tuple(sample for sample in samples if sample.subject not in held_out | validation),
        validation=tuple(sample for sample in samples if sample.subject in validation),
        held_out=tuple(sample for sample in samples if sample.subject in held_out),
    )


def _stratified(ordered: Sequence[Sample], folds: int, seed: int) -> list[Sample]:
    labels = np.array([sample.label for sample in ordered])
    groups = np.array([sample.subject for sample in ordered])
    largest = int(np.bincount(labels).max())
    if folds > largest:
        raise DataError(f"data.folds={folds} does not fit classes of {largest} pictures at most; give fewer folds")
    splitter = StratifiedGroupKFold(folds, shuffle=True, random_state=seed)
    fold_of = np.zeros(len(ordered), int)
    for fold, (_, held_out) in enumerate(splitter.split(labels, labels, groups)):
        fold_of[held_out] = fold
    return [replace(sample, fold=int(fold)) for sample, fold in zip(ordered, fold_of, strict=True)]


def _ordered(samples: Sequence[Sample]) -> list[str]:
    subjects = sorted({sample.subject for sample in samples})
    if any(sample.label is None for sample in samples):
        return subjects
    # Names of classified subjects often follow their class; a hash does not.
    return sorted(subjects, key=lambda subject: hashlib.sha256(subject.encode()).hexdigest())


def _subjects_of_fold(samples: Sequence[Sample], fold: int) -> set[str]:
    count = 1 + max(sample.fold or 0 for sample in samples)
    if not -count <= fold < count:
        raise DataError(f"data.held_out_fold={fold} is not one of the {count} folds; give {-count} to {count - 1}")
    return {sample.subject for sample in samples if sample.fold == fold % count}
