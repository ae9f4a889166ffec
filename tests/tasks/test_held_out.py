"""Held-out pictures come back as they were kept, for every kind of task, and a damaged folder is one sentence."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from untrained import drawn_samples, untrained

from tasks import TASKS, TaskSpec
from tasks.errors import ImageError
from tasks.held_out import FOLDER, read_classes, read_held_out, save_classes
from training.evaluation import evaluate
from training.held_out import choose_held_out, keep_held_out
from training.samples import Labelled, Sample

every_task = pytest.mark.parametrize("task", TASKS.values(), ids=TASKS)
VESSELS, DUBAI, EYES = TASKS["vessels"], TASKS["dubai_aerial"], TASKS["eye_disease"]


def keep(task: TaskSpec, model: Path) -> list[Sample]:
    samples = drawn_samples(task, 2)
    for item in evaluate(untrained(task), samples, task):
        keep_held_out(item, task, model / FOLDER)
    return samples


@every_task
def test_kept_pictures_are_read_back(task: TaskSpec, tmp_path: Path) -> None:
    samples = keep(task, tmp_path)
    pictures = read_held_out(tmp_path, task)
    assert [picture.name for picture in pictures] == [sample.name for sample in samples]
    for picture, sample in zip(pictures, samples, strict=True):
        labelled = sample.read()
        assert picture.image.read_bytes() == labelled.encoded
        assert picture.truth.dtype == np.uint8
        expected = sample.label if labelled.mask is None else labelled.mask
        assert np.array_equal(picture.truth, expected)
        view = np.ones(picture.truth.shape, np.bool_) if labelled.field_of_view is None else labelled.field_of_view
        assert np.array_equal(picture.judged, view & (picture.truth > 0) if task.unlabeled else view)


@pytest.mark.parametrize("task", [VESSELS, DUBAI], ids=lambda task: task.name)
def test_truth_is_drawn_in_the_tasks_colours(task: TaskSpec, tmp_path: Path) -> None:
    mask = np.arange(len(task.classes), dtype=np.uint8)[None]
    save_classes(tmp_path / "mask.png", mask, task)
    shown = np.asarray(Image.open(tmp_path / "mask.png").convert("RGB"))[0]
    assert [tuple(pixel) for pixel in shown.tolist()] == [info.colour for info in task.classes]
    assert np.array_equal(read_classes(tmp_path / "mask.png", task), mask)


def test_index_without_a_class_is_refused(tmp_path: Path) -> None:
    save_classes(tmp_path / "mask.png", np.full((4, 4), 5, np.uint8), DUBAI)
    with pytest.raises(ImageError, match="names class 5 and vessels has 2"):
        read_classes(tmp_path / "mask.png", VESSELS)


def no_truth(folder: Path) -> None:
    (folder / "truth" / "drawn_00.png").unlink()


def colours_instead_of_indices(folder: Path) -> None:
    path = folder / "truth" / "drawn_00.png"
    Image.open(path).convert("RGB").save(path)


def other_size(folder: Path) -> None:
    Image.fromarray(np.zeros((40, 40), np.uint8)).save(folder / "field_of_view" / "drawn_00.png")


def no_pictures(folder: Path) -> None:
    for path in (folder / "images").iterdir():
        path.unlink()


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (no_truth, "cannot be read"),
        (colours_instead_of_indices, "its mode is RGB"),
        (other_size, "has the shape"),
        (no_pictures, "no held-out pictures"),
    ],
)
def test_damaged_folder_is_one_sentence(tmp_path: Path, damage, reason: str) -> None:
    keep(VESSELS, tmp_path)
    damage(tmp_path / FOLDER)
    with pytest.raises(ImageError, match=reason):
        read_held_out(tmp_path, VESSELS)


def test_label_of_no_class_is_refused(tmp_path: Path) -> None:
    keep(EYES, tmp_path)
    labels = tmp_path / FOLDER / "labels.json"
    labels.write_text(json.dumps(json.loads(labels.read_text()) | {"drawn_01": "astigmatism"}))
    with pytest.raises(ImageError, match=r"drawn_01\.png 'astigmatism', which is no class of eye_disease"):
        read_held_out(tmp_path, EYES)


def labelled_samples(labels: list[int]) -> list[Sample]:
    def read() -> Labelled:
        raise AssertionError("choosing must not read pictures")

    return [Sample(f"eye_{place:03}", "s", "d", read, label) for place, label in enumerate(labels)]


def test_few_pictures_are_all_kept() -> None:
    samples = labelled_samples([0, 1, 1])
    assert choose_held_out(samples) == samples


def test_choice_is_bounded_balanced_and_repeatable() -> None:
    samples = labelled_samples([0] * 500 + [1] * 300 + [2] * 4)
    chosen = choose_held_out(samples, 24)
    assert [sum(sample.label == label for sample in chosen) for label in range(3)] == [10, 10, 4]
    assert chosen == choose_held_out(samples[::-1], 24)
    assert chosen != choose_held_out(samples, 24, seed=1)
    assert chosen == sorted(chosen, key=lambda sample: sample.name)


def test_pictures_without_a_label_are_drawn_from_all() -> None:
    samples = [replace(sample, label=None) for sample in labelled_samples([0] * 200)]
    chosen = choose_held_out(samples, 10)
    assert len(chosen) == 10
    assert max(int(sample.name[-3:]) for sample in chosen) > 100
