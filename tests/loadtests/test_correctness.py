import json
from pathlib import Path

import numpy as np
import pytest
from fovea_client.requests import ModelConfig
from fovea_client.task import ClassInfo, TaskInfo
from PIL import Image

from loadtests.answers import contract_of
from loadtests.correctness import (
    MAX_EXPECTED,
    Checker,
    agreement,
    images_to_expect,
    is_sampled,
    read_samples,
)
from loadtests.errors import NoExpectationError
from loadtests.expected import Expected, read_expected, read_mask

SEGMENTATION = contract_of(ModelConfig("vessels", {}, ("mask", "probability")))
VESSELS = TaskInfo("vessels", (ClassInfo(0, "background", (0, 0, 0)), ClassInfo(1, "vessel", (0, 255, 0))), None)
LAND = TaskInfo("land", tuple(ClassInfo(i, f"class {i}", (i, 0, 9)) for i in range(4)), None)
# A tenth of the picture is vessel, as in a fundus photograph.
MASK = np.zeros((20, 50), np.uint8)
MASK[:, :5] = 1


def _answer(mask: np.ndarray) -> dict[str, np.ndarray]:
    return {"mask": mask, "probability": mask}


@pytest.mark.parametrize("every", [1, 5, 100])
def test_about_one_request_in_so_many_is_sampled_and_out_of_step_with_the_images(every: int) -> None:
    index = np.arange(20_000)
    sampled = index[is_sampled(index, every)]
    assert len(sampled) == pytest.approx(20_000 / every, rel=0.05)
    assert set(sampled % 8) == set(range(8))


def test_few_images_are_expected_and_each_once() -> None:
    images = images_to_expect((np.arange(10_000) % 100).astype(np.int32), 2)
    assert len(images) == len(set(images)) == MAX_EXPECTED
    assert set(images_to_expect(np.zeros(50, np.int32), 3)) == {0}


def test_a_mask_of_background_does_not_agree_with_thin_vessels() -> None:
    """By the share of equal pixels it would, by 0.9."""
    assert agreement(MASK, MASK.copy(), masks=True) == 1
    assert agreement(MASK, np.zeros_like(MASK), masks=True) == pytest.approx((0.9 + 0) / 2)
    assert agreement(MASK, MASK.T, masks=True) == 0


def test_agreement_is_the_mean_iou_of_the_classes_that_are_there() -> None:
    answered = MASK.copy()
    answered[:, 5] = 3
    # 900 pixels of background, 20 of which are called class 3; class 2 is nowhere and does not count.
    assert agreement(MASK, answered, masks=True) == pytest.approx((880 / 900 + 1 + 0) / 3)


def test_a_label_agrees_or_not() -> None:
    label = np.array([2], np.int32)
    assert agreement(label, label.copy(), masks=False) == 1
    assert agreement(label, label + 1, masks=False) == 0


def test_a_sampled_wrong_answer_is_a_fault_and_every_comparison_is_written_down(tmp_path: Path) -> None:
    expected = Expected({0: MASK, 1: MASK}, sample_every=1, agreement=0.98)
    checker = Checker(SEGMENTATION, expected, tmp_path)
    assert checker.fault_in(7, 0, _answer(MASK)) is None
    assert checker.fault_in(8, 1, _answer(1 - MASK)) == "wrong answer: 'mask' is not the expected one"
    assert checker.fault_in(9, 2, _answer(1 - MASK)) is None, "nothing is expected of image 2"
    assert "differ in shape" in str(checker.fault_in(10, 0, {"mask": MASK, "probability": MASK.T}))
    samples = read_samples(tmp_path)
    assert samples.index.tolist() == [7, 8]
    assert samples.agreement.tolist() == [1, 0]
    assert samples.correct_ratio(0.98) == 0.5
    assert samples.of(np.array([7])).correct_ratio(0.98) == 1
    assert samples.of(np.array([3])).correct_ratio(0.98) is None


def test_what_differs_from_an_expert_is_written_down_and_no_error(tmp_path: Path) -> None:
    checker = Checker(SEGMENTATION, Expected({0: MASK}, 1, 0.98, own=False), tmp_path)
    assert checker.fault_in(7, 0, _answer(1 - MASK)) is None
    assert read_samples(tmp_path).correct_ratio(0.98) == 0


def test_the_checker_compares_those_that_are_sampled(tmp_path: Path) -> None:
    checker = Checker(SEGMENTATION, Expected({0: MASK}, 5, 0.98), tmp_path)
    for index in range(200):
        checker.fault_in(index, 0, _answer(MASK))
    index = np.arange(200)
    assert read_samples(tmp_path).index.tolist() == index[is_sampled(index, 5)].tolist()


def test_no_file_and_a_torn_last_line_are_no_samples(tmp_path: Path) -> None:
    assert read_samples(tmp_path).index.size == 0
    (tmp_path / "samples.jsonl").write_text('{"index": 1, "agreement": 1.0}\n{"ind')
    assert read_samples(tmp_path).index.tolist() == [1]


def test_what_is_expected_comes_back_as_it_was_saved(tmp_path: Path) -> None:
    Expected({3: MASK, 11: np.array([2], np.int32)}, 4, 0.9).save(tmp_path)
    loaded = Expected.load(tmp_path)
    np.testing.assert_array_equal(loaded.answers[3], MASK)
    assert (set(loaded.answers), loaded.sample_every, loaded.agreement, loaded.own) == ({3, 11}, 4, 0.9, True)
    assert loaded.answers[11].dtype == np.int32
    assert not Expected.load(tmp_path / "nowhere").answers


@pytest.mark.parametrize("levels", [(0, 1), (0, 255)])
def test_masks_of_indices_or_black_and_white_are_read(tmp_path: Path, levels: tuple[int, int]) -> None:
    Image.fromarray(np.where(MASK, levels[1], levels[0]).astype(np.uint8)).save(tmp_path / "a.png")
    paths = [Path("b.jpg"), Path("a.jpg")]
    found = read_expected(tmp_path, [0, 1], paths, VESSELS)
    assert set(found) == {1}
    np.testing.assert_array_equal(found[1], MASK)


def test_masks_in_the_colours_of_the_classes_are_read(tmp_path: Path) -> None:
    colours = np.zeros((*MASK.shape, 3), np.uint8)
    colours[:, :, 2] = 9
    colours[:, :, 0] = MASK * 3
    Image.fromarray(colours).save(tmp_path / "a.png")
    np.testing.assert_array_equal(read_mask(tmp_path / "a.png", LAND), MASK * 3)


def test_labels_are_read_by_the_names_of_the_classes(tmp_path: Path) -> None:
    (tmp_path / "labels.json").write_text(json.dumps({"a": "class 3"}))
    for source in (tmp_path, tmp_path / "labels.json"):
        found = read_expected(source, [0, 1], [Path("x/a.jpg"), Path("b.jpg")], LAND)
        assert {image: label.tolist() for image, label in found.items()} == {0: [3]}


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        ("b.png", b"", "says nothing of the images that are compared, such as a.jpg"),
        ("a.png", b"no picture", "cannot be read as a PNG"),
        ("labels.json", b"{", "cannot be read"),
        ("labels.json", b"[]", "says nothing of the images"),
        ("labels.json", b'{"a": "classs 3"}', "calls a.jpg 'classs 3', which is no class of land"),
    ],
)
def test_expectations_that_cannot_be_read_are_one_sentence(
    tmp_path: Path, name: str, content: bytes, sentence: str
) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(NoExpectationError, match=sentence):
        read_expected(tmp_path, [0], [Path("a.jpg")], LAND)


def test_a_mask_too_large_to_decode_is_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Image.fromarray(MASK).save(tmp_path / "a.png")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", MASK.size // 3)
    with pytest.raises(NoExpectationError, match="cannot be read as a PNG"):
        read_mask(tmp_path / "a.png", VESSELS)


def test_a_class_that_the_task_does_not_have_is_refused(tmp_path: Path) -> None:
    Image.fromarray(MASK + 3).save(tmp_path / "a.png")
    with pytest.raises(NoExpectationError, match="names class 4 and land has 4"):
        read_mask(tmp_path / "a.png", LAND)
    with pytest.raises(NoExpectationError, match="does not exist"):
        read_expected(tmp_path / "nowhere", [0], [Path("a.jpg")], LAND)
