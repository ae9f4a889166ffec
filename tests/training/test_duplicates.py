"""Copies are found though they were resized or recompressed; different retinas and lands are not taken for one."""

import io
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from tasks import TaskSpec, get_task
from tasks.imaging import decode
from training.duplicates import Duplicate, find_duplicates, fingerprint, to_drop
from training.samples import Labelled, Sample
from training.sources import read_samples
from training.sources.pictures import encode_png
from training.split import assign_folds
from training.synthetic import generate_fundus, write_dubai_aerial

EYES, VESSELS, DUBAI = get_task("eye_disease"), get_task("vessels"), get_task("dubai_aerial")
REAL = Path(__file__).parents[3] / "shared" / "data"
Pixels = np.ndarray


def sample(name: str, encoded: bytes, label: int = 0, fold: int = 0, subject: str | None = None) -> Sample:
    content = Labelled(encoded, ".png")
    return Sample(name, subject or name, "", lambda: content, label=label, fold=fold)


def found(samples: list[Sample], task: TaskSpec = EYES) -> list[Duplicate]:
    return find_duplicates([fingerprint(item, task) for item in samples])


def jpeg(pixels: Pixels, quality: int) -> bytes:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "JPEG", quality=quality)
    return file.getvalue()


def shrunk(pixels: Pixels) -> bytes:
    return jpeg(cv2.resize(pixels, None, fx=0.7, fy=0.7, interpolation=cv2.INTER_AREA), 80)


def recoloured(pixels: Pixels) -> bytes:
    return jpeg(np.clip(pixels * np.array([0.9, 1.0, 1.05]) + 8, 0, 255).astype(np.uint8), 90)


@pytest.fixture(scope="module")
def retinas() -> list[Pixels]:
    return [generate_fundus(seed, size_px=320).image for seed in range(16)]


def test_different_retinas_are_different(retinas: list[Pixels]) -> None:
    assert found([sample(f"{n:02d}", encode_png(pixels)) for n, pixels in enumerate(retinas)]) == []


@pytest.mark.parametrize(
    ("change", "share"), [(encode_png, 1.0), (shrunk, 0.8), (recoloured, 0.8)], ids=["exact", "shrunk", "recoloured"]
)
def test_copies_are_found(retinas: list[Pixels], change: Callable[[Pixels], bytes], share: float) -> None:
    originals = [sample(f"{n:02d}", encode_png(pixels), fold=0) for n, pixels in enumerate(retinas)]
    copies = [sample(f"{n:02d}_copy", change(pixels), fold=1) for n, pixels in enumerate(retinas[:12])]
    pairs = found(originals + copies)
    # A dim picture has little detail that outlives shrinking and compression.
    assert len(pairs) >= share * len(copies)
    assert {(pair.first, pair.second) for pair in pairs} <= {(f"{n:02d}", f"{n:02d}_copy") for n in range(12)}
    assert {pair.kind for pair in pairs} == {"exact" if change is encode_png else "near"}
    assert all(pair.crosses and not pair.conflict for pair in pairs)


def test_what_a_pair_is_said_to_be(retinas: list[Pixels]) -> None:
    png = encode_png(retinas[0])
    assert found([sample("a", png, subject="p"), sample("b", png, subject="p")]) == [
        Duplicate("a", "b", "exact", 1.0, same_subject=True, crosses=False, conflict=False)
    ]
    assert found([sample("a", png, label=1), sample("b", png, fold=1)]) == [
        Duplicate("a", "b", "exact", 1.0, same_subject=False, crosses=True, conflict=True)
    ]
    official = replace(sample("b", png), held_out=True)
    assert found([sample("a", png), official])[0].crosses


def test_exact_copies_with_other_masks_contradict_each_other(retinas: list[Pixels]) -> None:
    masks = [np.zeros((320, 320), np.uint8), np.ones((320, 320), np.uint8)]
    contents = [Labelled(encode_png(retinas[0]), ".png", mask) for mask in masks]
    pair = [Sample(str(n), str(n), "", lambda content=content: content) for n, content in enumerate(contents)]
    assert found(pair, VESSELS)[0].conflict
    assert not found([pair[0], replace(pair[0], name="2")], VESSELS)[0].conflict


def test_pictures_without_detail_are_copies_only_if_every_pixel_is(retinas: list[Pixels]) -> None:
    blank = [np.full((64, 64, 3), value, np.uint8) for value in (90, 91, 90)]
    pairs = found([sample(str(n), encode_png(pixels)) for n, pixels in enumerate(blank)], DUBAI)
    assert [(pair.first, pair.second, pair.kind) for pair in pairs] == [("0", "2", "exact")]


def test_aerial_pictures(tmp_path: Path) -> None:
    folder = write_dubai_aerial(tmp_path / "set", subjects=3, size_px=400)
    originals = assign_folds(read_samples(folder, DUBAI), 3)
    assert found(originals, DUBAI) == []
    copy = replace(sample("copy", shrunk(decode(originals[5].read().encoded))), label=None)
    assert [(pair.first, pair.second) for pair in found([*originals, copy], DUBAI)] == [(originals[5].name, "copy")]


def test_more_pictures_than_are_compared_at_once(monkeypatch: pytest.MonkeyPatch, retinas: list[Pixels]) -> None:
    monkeypatch.setattr("training.duplicates._ROWS_AT_ONCE", 5)
    doubled = [sample(f"{n:02d}{copy}", encode_png(retinas[n])) for n in range(13) for copy in "ab"]
    assert len(found(doubled)) == 13


def test_who_is_dropped() -> None:
    def pair(first: str, second: str, *, same_subject: bool = False, conflict: bool = False) -> Duplicate:
        return Duplicate(first, second, "exact", 1.0, same_subject=same_subject, crosses=False, conflict=conflict)

    assert to_drop([pair("a", "b"), pair("a", "c"), pair("b", "c")]) == {"b", "c"}
    assert to_drop([pair("a", "b", same_subject=True)]) == set()
    assert to_drop([pair("a", "b", conflict=True), pair("b", "c")]) == {"a", "b"}


@pytest.mark.slow
@pytest.mark.skipif(not REAL.is_dir(), reason="the real data are not on this machine")
def test_real_photographs() -> None:
    samples = assign_folds(read_samples(REAL / "eye_diseases", EYES), 5)
    pairs = {(pair.first, pair.second): pair.kind for pair in found(samples)}
    assert pairs == {
        ("cataract_cataract_091", "cataract_cataract_093"): "near",
        ("diabetic_retinopathy_10363_left", "diabetic_retinopathy_10363_right"): "near",
    }
