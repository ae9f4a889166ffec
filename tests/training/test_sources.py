"""Published layouts are read; people never cross a split; wrong folders are named."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from training.errors import DataError
from training.sources import data_digest, read_samples
from training.split import split_by_subject

SHARES = {"held_out_share": 0.2, "validation_share": 0.1}


def drive_like(root: Path) -> Path:
    """A folder in DRIVE's official layout, with drawn pictures."""
    for part, numbers in (("training", range(21, 27)), ("test", range(1, 4))):
        for folder in ("images", "1st_manual", "mask"):
            (root / part / folder).mkdir(parents=True)
        for number in numbers:
            name = f"{number:02d}_{part}"
            picture = np.full((60, 64, 3), number, np.uint8)
            Image.fromarray(picture).save(root / part / "images" / f"{name}.tif")
            Image.fromarray(picture[:, :, 0]).save(root / part / "1st_manual" / f"{number:02d}_manual1.gif")
            Image.fromarray(picture[:, :, 0]).save(root / part / "mask" / f"{name}_mask.gif")
    return root


def test_chase_layout_keeps_both_eyes_of_a_person_together(synthetic: Path) -> None:
    samples = read_samples(synthetic)
    assert len(samples) == 12
    assert [sample.subject for sample in samples[:4]] == ["01", "01", "02", "02"]


def test_drive_layout_keeps_its_official_split(tmp_path: Path) -> None:
    split = split_by_subject(read_samples(drive_like(tmp_path)), **SHARES)
    assert split.subjects()["held_out"] == ["01", "02", "03"]
    assert {sample.image.parent.parent.name for sample in split.train} == {"training"}


def test_drive_without_test_masks_holds_out_training_people(tmp_path: Path) -> None:
    shutil.rmtree(drive_like(tmp_path) / "test" / "1st_manual")
    assert split_by_subject(read_samples(tmp_path), **SHARES).subjects()["held_out"] == ["25", "26"]


@pytest.mark.parametrize("held_out_share", [0.1, 0.2, 0.4])
@pytest.mark.parametrize("validation_share", [0.1, 0.3])
def test_no_subject_crosses_a_split(synthetic: Path, held_out_share: float, validation_share: float) -> None:
    samples = read_samples(synthetic)
    split = split_by_subject(samples, held_out_share=held_out_share, validation_share=validation_share)
    groups = [set(subjects) for subjects in split.subjects().values()]
    assert all(groups)
    assert sum(map(len, groups)) == len(set.union(*groups))
    assert len(split.train) + len(split.validation) + len(split.held_out) == len(samples)


def test_digest_follows_contents_and_not_places(synthetic: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(synthetic, tmp_path / "copy"))
    before = data_digest(read_samples(synthetic))
    assert data_digest(read_samples(copy)) == before
    with (copy / "images" / "Image_03L.jpg").open("ab") as file:
        file.write(b"x")
    assert data_digest(read_samples(copy)) != before


def test_picture_without_a_mask_is_named(synthetic: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(synthetic, tmp_path / "copy"))
    (copy / "1st_manual" / "Image_02R_1stHO.png").unlink()
    with pytest.raises(DataError, match=r"Image_02R\.jpg needs exactly one 1st_manual/Image_02R_1stHO"):
        read_samples(copy)


def test_foreign_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="neither a CHASE_DB1 folder"):
        read_samples(tmp_path)
    with pytest.raises(DataError, match="no data folder"):
        read_samples(tmp_path / "absent")
    for name in ("images", "1st_manual"):
        (tmp_path / name).mkdir()
    with pytest.raises(DataError, match="no pictures"):
        read_samples(tmp_path)


def test_too_few_people_are_refused(synthetic: Path) -> None:
    with pytest.raises(DataError, match="at least 3"):
        split_by_subject(read_samples(synthetic)[:4], **SHARES)


def test_person_on_both_sides_of_an_official_split_is_refused(tmp_path: Path) -> None:
    root = drive_like(tmp_path)
    for folder, name in (
        ("images", "02_training.tif"),
        ("1st_manual", "02_manual1.gif"),
        ("mask", "02_training_mask.gif"),
    ):
        shutil.copy(next((root / "training" / folder).iterdir()), root / "training" / folder / name)
    with pytest.raises(DataError, match="both sides"):
        split_by_subject(read_samples(root), **SHARES)
