"""No subject is ever on two sides, whatever the source; splits repeat; what cannot be divided is refused."""

import random
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from drawn import draw_drive, draw_stare

from tasks import get_task
from training.errors import DataError
from training.samples import Labelled, Sample
from training.sources import read_samples
from training.sources.landcover_ai import read as read_landcover
from training.split import Split, assign_folds, split_by_fold

FOLDS = 3
Read = Callable[[], list[Sample]]


def sample(name: str, subject: str, label: int | None = None, held_out: bool | None = None) -> Sample:
    return Sample(name, subject, "", lambda: Labelled(b"", ".png"), label=label, held_out=held_out)


@pytest.fixture(params=["chase_db1", "drive_without_test", "stare", "class_folders", "dubai_aerial", "landcover_ai"])
def samples(
    request: pytest.FixtureRequest,
    tmp_path: Path,
    synthetic: Path,
    eye_disease_folder: Path,
    dubai_folder: Path,
    landcover_folder: Path,
) -> list[Sample]:
    vessels, landcover = get_task("vessels"), get_task("landcover_ai")
    readers: dict[str, Read] = {
        "chase_db1": lambda: read_samples(synthetic, vessels),
        "drive_without_test": lambda: [s for s in read_samples(draw_drive(tmp_path), vessels) if not s.held_out],
        "stare": lambda: read_samples(draw_stare(tmp_path, 4), vessels),
        "class_folders": lambda: read_samples(eye_disease_folder, get_task("eye_disease")),
        "dubai_aerial": lambda: read_samples(dubai_folder, get_task("dubai_aerial")),
        "landcover_ai": lambda: read_landcover(landcover_folder, landcover, tile_px=64).samples,
    }
    return readers[request.param]()


def check_parted(split: Split, samples: list[Sample]) -> None:
    """Every sample is in one group, no subject in two, and two groups are never empty."""
    groups = [set(subjects) for subjects in split.subjects().values()]
    assert sum(map(len, groups)) == len(set.union(*groups))
    everyone = [*split.train, *split.validation, *split.held_out]
    assert sorted(s.name for s in everyone) == sorted(s.name for s in samples)
    assert split.train
    assert split.held_out


@pytest.mark.parametrize("validation_share", [0.0, 0.1, 0.4])
def test_no_subject_crosses(samples: list[Sample], validation_share: float) -> None:
    folds = min(FOLDS, len({s.subject for s in samples}))
    assigned = assign_folds(samples, folds)
    if folds == 2 and validation_share:
        pytest.skip("two orthophotos leave nobody to validate")
    for fold in range(folds):
        split = split_by_fold(assigned, fold, validation_share)
        check_parted(split, samples)
        assert {s.fold for s in split.held_out} == {fold}
        assert bool(split.validation) == bool(validation_share)


def test_folds_repeat_whatever_the_order(samples: list[Sample]) -> None:
    shuffled = random.Random(1).sample(samples, len(samples))
    once, again = assign_folds(samples, 2, seed=5), assign_folds(shuffled, 2, seed=5)
    assert {s.name: s.fold for s in once} == {s.name: s.fold for s in again}
    assert {s.fold for s in once} == {0, 1}


def test_folds_that_are_there_stay() -> None:
    given = [replace(sample("b", "1"), fold=1), replace(sample("a", "2"), fold=0)]
    assert assign_folds(given, 2) == given
    with pytest.raises(DataError, match="ingested with 2 folds"):
        assign_folds(given, 5)
    with pytest.raises(DataError, match="1 of 2 samples have no fold"):
        assign_folds([given[0], sample("c", "3")], 2)


def test_official_test_part_does_not_move_the_others() -> None:
    """Stored with their test part or read without it, the others are divided alike."""
    others = [sample(f"train{n}", f"{n + 21}", held_out=False) for n in range(20)]
    test = [sample(f"test{n}", f"{n + 1:02d}", held_out=True) for n in range(20)]
    together = {item.name: item.fold for item in assign_folds([*test, *others], 5)}
    alone = {item.name: item.fold for item in assign_folds(others, 5)}
    assert {name: together[name] for name in alone} == alone
    assert Counter(alone.values()) == dict.fromkeys(range(5), 4)


def test_classes_are_spread_over_the_folds() -> None:
    everyone = [sample(f"{n}{eye}", str(n), label=0 if n < 30 else 1) for n in range(120) for eye in "LR"]
    assigned = assign_folds(everyone, 5)
    for fold in range(5):
        assert Counter(s.label for s in assigned if s.fold == fold) == {0: 12, 1: 36}
    assert assign_folds(everyone, 5, seed=1) != assigned


@pytest.mark.parametrize("seed", range(40))
def test_any_classified_set_is_divided_or_refused(seed: int) -> None:
    """Few subjects, unequal classes, subjects of several pictures and classes: no fold may be empty."""
    rng = np.random.default_rng(seed)
    subjects = int(rng.integers(3, 12))
    drawn = [
        sample(f"{n}", str(rng.integers(subjects)), label=int(rng.integers(3) ** 2 // 2)) for n in range(3 * subjects)
    ]
    folds = int(rng.integers(2, 6))
    try:
        assigned = assign_folds(drawn, folds, seed)
    except DataError:
        return
    assert {s.fold for s in assigned} == set(range(folds))
    for fold in range(folds):
        check_parted(split_by_fold(assigned, fold, 0.0), drawn)


def test_official_test_part_is_held_out_in_every_fold(tmp_path: Path) -> None:
    drive = read_samples(draw_drive(tmp_path), get_task("vessels"))
    assigned = assign_folds(drive, FOLDS)
    for fold in range(FOLDS):
        split = split_by_fold(assigned, fold, 0.2)
        check_parted(split, drive)
        assert split.subjects()["held_out"] == ["01", "02", "03"]


def test_last_subjects_are_held_out_last(synthetic: Path) -> None:
    assigned = assign_folds(read_samples(synthetic, get_task("vessels")), FOLDS)
    assert split_by_fold(assigned, -1, 0.0).subjects()["held_out"] == ["05", "06"]
    assert split_by_fold(assigned, 0, 0.1).subjects() == {
        "train": ["03", "04", "05"],
        "validation": ["06"],
        "held_out": ["01", "02"],
    }


def test_subject_on_both_sides_of_an_official_split_is_refused() -> None:
    mixed = [sample("a", "1", held_out=True), sample("b", "1", held_out=False), sample("c", "2", held_out=False)]
    with pytest.raises(DataError, match="both sides"):
        split_by_fold(assign_folds(mixed, 2), 0, 0.0)


@pytest.mark.parametrize("folds", [0, 1, 4])
def test_folds_that_do_not_fit_are_refused(folds: int) -> None:
    with pytest.raises(DataError, match=f"{folds} folds do not fit 3 subjects"):
        assign_folds([sample(name, name) for name in "abc"], folds)


def test_more_folds_than_pictures_of_any_class_are_refused() -> None:
    few = [sample(str(n), str(n), label=n % 4) for n in range(12)]
    with pytest.raises(DataError, match=r"data\.folds=5 does not fit classes of 3 pictures at most"):
        assign_folds(few, 5)


def test_folds_that_are_not_there_are_refused() -> None:
    assigned = assign_folds([sample(name, name) for name in "abcd"], 2)
    for fold in (2, -3):
        with pytest.raises(DataError, match="not one of the 2 folds"):
            split_by_fold(assigned, fold, 0.0)


def test_nobody_left_to_train_on_is_refused() -> None:
    with pytest.raises(DataError, match="nothing would be left to train on"):
        split_by_fold(assign_folds([sample(name, name) for name in "ab"], 2), 0, 0.1)


def test_copies_on_both_sides_are_named() -> None:
    kept, copy, other = (replace(sample(name, name), digest=digest) for name, digest in ("a1", "b1", "c2"))
    assert Split((kept, other), (), (copy,)).copies() == [("b", "a")]
    assert Split((other,), (kept,), (copy,)).copies() == [("b", "a")]
    assert Split((other,), (), (copy,)).copies() == []
