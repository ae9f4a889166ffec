"""Drawn eye diseases: the layout of the public set, repeatable, and told apart by the simplest classifier."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from sklearn.neighbors import KNeighborsClassifier

from tasks import get_task
from tasks.imaging import decode
from training.sources import read_samples
from training.split import assign_folds, split_by_fold
from training.synthetic import write_eye_disease

EYES = get_task("eye_disease")


def test_layout(eye_disease_folder: Path) -> None:
    names = {path.relative_to(eye_disease_folder).as_posix() for path in eye_disease_folder.glob("*/*")}
    assert {path.parent.name for path in eye_disease_folder.glob("*/*")} == {info.name for info in EYES.classes}
    assert {
        "diabetic_retinopathy/1_left.jpeg",
        "diabetic_retinopathy/1_right.jpeg",
        "cataract/cataract_012.jpg",
    } <= names
    assert len(names) == 20 + 14
    assert not list(eye_disease_folder.rglob(".*"))


def test_arguments_decide_every_byte(eye_disease_folder: Path, tmp_path: Path) -> None:
    again = write_eye_disease(tmp_path / "again", subjects=8, seed=1, size_px=128)
    other = write_eye_disease(tmp_path / "other", subjects=8, seed=2, size_px=128)
    for path in again.glob("*/*"):
        name = path.relative_to(again)
        assert path.read_bytes() == (eye_disease_folder / name).read_bytes()
        assert path.read_bytes() != (other / name).read_bytes()


def test_interrupted_run_is_completed(tmp_path: Path) -> None:
    def stop(done: int, _: int) -> None:
        if done == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_eye_disease(tmp_path / "set", subjects=8, size_px=128, on_progress=stop)
    half = {path: path.stat().st_mtime_ns for path in (tmp_path / "set").glob("*/*")}
    assert len(half) == 3
    seen: list[tuple[int, int]] = []
    write_eye_disease(tmp_path / "set", subjects=8, size_px=128, on_progress=lambda *step: seen.append(step))
    assert {path: path.stat().st_mtime_ns for path in half} == half
    assert seen[-1] == (14, 14)


def test_pictures_of_others_are_never_mixed_with(tmp_path: Path) -> None:
    (tmp_path / "normal").mkdir()
    Image.new("RGB", (16, 16)).save(tmp_path / "normal" / "1_left.jpg")
    with pytest.raises(FileExistsError, match="choose an empty folder"):
        write_eye_disease(tmp_path, subjects=8, size_px=128)
    with pytest.raises(ValueError, match="subjects must be at least 8"):
        write_eye_disease(tmp_path / "new", subjects=7)
    assert not (tmp_path / "new").exists()


def test_classes_can_be_learnt(eye_disease_folder: Path) -> None:
    """Nearest neighbours of a 16 × 16 thumbnail's pixels and its spread, on patients that were not seen."""
    split = split_by_fold(assign_folds(read_samples(eye_disease_folder, EYES), 3), 0, 0.0)

    def features(names: tuple[object, ...]) -> tuple[np.ndarray, list[int | None]]:
        pictures = [decode(item.read().encoded).astype(np.float32) for item in names]  # type: ignore[attr-defined]
        grain = [
            [np.abs(np.diff(p, axis=0)).mean(), p.max(axis=(0, 1)).mean(), np.ptp(p, axis=2).mean()] for p in pictures
        ]
        return np.array(grain), [item.label for item in names]  # type: ignore[attr-defined]

    x, y = features(split.train)
    tested, truth = features(split.held_out)
    scale = x.std(axis=0)
    right = KNeighborsClassifier(3).fit(x / scale, y).predict(tested / scale) == truth
    assert right.mean() > 0.5, "a guess is right in one of four"
