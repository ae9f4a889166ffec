"""Folders of labelled fundus photographs as they are published, read into one list of samples."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tasks.checksums import sha256_of
from training.errors import DataError

_IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png", ".tif", ".tiff", ".gif")


@dataclass(frozen=True)
class Sample:
    """One labelled picture.

    Attributes:
        name: unique in its data set.
        subject: whose eye it is; subjects and never pictures are what a split divides.
        image, vessels, field_of_view: the files as published.
        held_out: whether the publisher keeps it for testing; None if the set has no official split.
    """

    name: str
    subject: str
    image: Path
    vessels: Path
    field_of_view: Path
    held_out: bool | None = None


def read_samples(root: Path) -> list[Sample]:
    """Return the samples of a CHASE_DB1 or DRIVE folder, sorted by name; the layout is recognised.

    Raises:
        DataError: no such folder, neither layout, or a picture without its masks.
    """
    if not root.is_dir():
        raise DataError(f"there is no data folder {root}; name one with data.root=<folder>")
    if (root / "images").is_dir() and (root / "1st_manual").is_dir():
        samples = _read_chase_db1(root)
    elif (root / "training" / "images").is_dir():
        samples = _read_drive(root)
    else:
        raise DataError(
            f"{root} is neither a CHASE_DB1 folder (images/, 1st_manual/, mask/) nor a DRIVE folder (training/images/)"
        )
    if not samples:
        raise DataError(f"{root} has no pictures in its images folder; check that it was unpacked completely")
    return samples


def data_digest(samples: Sequence[Sample]) -> str:
    """Return the SHA-256 over names and file contents: equal data give an equal digest wherever they lie."""
    digest = hashlib.sha256()
    for sample in sorted(samples, key=lambda sample: sample.name):
        for path in (sample.image, sample.vessels, sample.field_of_view):
            digest.update(f"{sample.name} {sha256_of(path)}\n".encode())
    return digest.hexdigest()


def _read_chase_db1(root: Path) -> list[Sample]:
    """Pictures are named Image_<subject><eye>: 01L and 01R are one person."""
    return [
        Sample(
            name=image.stem,
            subject=image.stem.removeprefix("Image_").rstrip("LR"),
            image=image,
            vessels=_only(root / "1st_manual", f"{image.stem}_1stHO", image),
            field_of_view=_only(root / "mask", image.stem, image),
        )
        for image in _pictures(root / "images")
    ]


def _read_drive(root: Path) -> list[Sample]:
    """Pictures are named <number>_training or <number>_test; a number is a person.

    Some copies of the set withhold the test part's masks: then people of the training part are held out instead.
    """
    samples = []
    for folder in (root / "training", root / "test"):
        if not (folder / "1st_manual").is_dir():
            continue
        for image in _pictures(folder / "images"):
            number = image.stem.partition("_")[0]
            samples.append(
                Sample(
                    name=image.stem,
                    subject=number,
                    image=image,
                    vessels=_only(folder / "1st_manual", f"{number}_manual1", image),
                    field_of_view=_only(folder / "mask", f"{image.stem}_mask", image),
                    held_out=folder.name == "test",
                )
            )
    return samples


def _pictures(folder: Path) -> list[Path]:
    if not folder.is_dir():
        return []
    return sorted(path for path in folder.iterdir() if path.suffix.lower() in _IMAGE_SUFFIXES)


def _only(folder: Path, stem: str, image: Path) -> Path:
    found = [folder / f"{stem}{suffix}" for suffix in _IMAGE_SUFFIXES if (folder / f"{stem}{suffix}").is_file()]
    if len(found) != 1:
        raise DataError(f"picture {image} needs exactly one {folder.name}/{stem}.* beside it and has {len(found)}")
    return found[0]
