"""What is sent: folders, weights, and pictures that are drawn where there are none."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from loadtests.drawing import Drawing, resolve_images
from loadtests.errors import NoImagesError
from loadtests.images import MAX_IMAGES, ImageSource, image_set, read_payload


def test_images_are_found_by_suffix_in_order(images: Path) -> None:
    (images / "notes.txt").touch()
    assert [path.name for path in image_set([str(images)]).paths] == ["a.png", "b.JPG"]


def test_images_are_bounded(tmp_path: Path) -> None:
    for index in range(MAX_IMAGES + 3):
        (tmp_path / f"{index}.tiff").touch()
    assert len(image_set([str(tmp_path)]).paths) == MAX_IMAGES


def test_a_payload_is_the_encoded_file(images: Path) -> None:
    payload = read_payload(images / "a.png")
    assert payload.shape == (1,)
    assert payload[0] == b"a.png" * 1000


@pytest.mark.parametrize("name", ["a.npy", "none.png"])
def test_a_payload_that_cannot_be_read_is_a_sentence(tmp_path: Path, name: str) -> None:
    (tmp_path / "a.npy").write_text("no array")
    with pytest.raises(NoImagesError, match=f"{name} cannot be read"):
        read_payload(tmp_path / name)


def test_an_array_is_sent_as_it_is(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.eye(3, dtype=np.float32))
    np.testing.assert_array_equal(read_payload(tmp_path / "a.npy"), np.eye(3, dtype=np.float32))


def test_every_image_of_a_folder_is_sent_equally_often(images: Path) -> None:
    assert np.bincount(image_set([str(images)]).sequence(100, seed=0)).tolist() == [50, 50]


def test_a_mix_follows_its_weights_and_a_seed_fixes_it(images: Path, tmp_path: Path) -> None:
    (tmp_path / "rare").mkdir()
    (tmp_path / "rare" / "c.gif").touch()
    mix = image_set([f"{images}@9", f"{tmp_path / 'rare'}@1"])
    sequence = mix.sequence(10_000, seed=3)
    assert sequence.dtype == np.int32
    counts = np.bincount(sequence)
    assert counts[2] == pytest.approx(1000, rel=0.1)
    assert abs(counts[0] - counts[1]) <= 1
    np.testing.assert_array_equal(sequence, mix.sequence(10_000, seed=3))
    assert (sequence != mix.sequence(10_000, seed=4)).any()


@pytest.mark.parametrize(
    ("word", "text", "weight"),
    [
        ("photos", "photos", 1),
        ("photos@3", "photos", 3),
        ("a@b/c", "a@b/c", 1),
        ("synthetic:4@0.5", "synthetic:4", 0.5),
    ],
)
def test_a_weight_stands_behind_an_at(word: str, text: str, weight: float) -> None:
    assert ImageSource.parse(word) == ImageSource(text, weight)


def test_a_folder_with_an_at_in_its_name_is_a_folder(tmp_path: Path) -> None:
    (tmp_path / "me@7").mkdir()
    assert ImageSource.parse(str(tmp_path / "me@7")).weight == 1


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ([], "nothing to send"),
        (["/nowhere"], "is no folder"),
        (["photos@0"], "must be a number over 0"),
        (["photos@-1"], "must be a number over 0"),
        (["photos@nan"], "must be a number over 0"),
    ],
)
def test_what_cannot_be_sent_is_one_sentence(words: list[str], sentence: str) -> None:
    with pytest.raises(NoImagesError, match=sentence):
        image_set(words)


def test_what_to_draw_is_read() -> None:
    assert Drawing.parse("synthetic:12") == Drawing(12)
    assert Drawing.parse("synthetic:9,sizes=256+512,formats=jpg+tif") == Drawing(9, (256, 512), ("jpg", "tif"))


@pytest.mark.parametrize(
    "text",
    ["synthetic:", "synthetic:0", "synthetic:2000", "synthetic:x", "synthetic:3,formats=bmp", "synthetic:3,size=9"],
)
def test_what_cannot_be_drawn_is_one_sentence(text: str, tmp_path: Path) -> None:
    with pytest.raises(NoImagesError, match="write synthetic:N"):
        resolve_images((text,), "vessels", tmp_path)


@pytest.mark.slow
def test_pictures_are_drawn_once_in_sizes_and_formats(tmp_path: Path) -> None:
    words = ("synthetic:4,sizes=128,formats=jpg+png@2", "elsewhere@3")
    drawn, other = resolve_images(words, "vessels", tmp_path)
    assert other == "elsewhere@3"
    paths = image_set([drawn]).paths
    assert [path.suffix for path in paths] == [".jpg", ".png", ".jpg", ".png"]
    assert [Image.open(path).size[0] for path in paths] == [128] * 4
    made_ns = paths[0].stat().st_mtime_ns
    assert resolve_images(words, "vessels", tmp_path)[0] == drawn
    assert paths[0].stat().st_mtime_ns == made_ns


def test_a_task_that_cannot_be_drawn_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(NoImagesError, match="no picture for identity could be drawn"):
        resolve_images(("synthetic:2",), "identity", tmp_path)
    assert list(tmp_path.iterdir()) == []
