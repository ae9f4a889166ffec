"""The synthetic fundus: does it repeat, does its truth match its picture, and does it measure like real photographs?"""

import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from training.synthetic import Fundus, generate_fundus, write_dataset
from training.synthetic.fundus import Eye
from training.synthetic.vessel_tree import murray_angle_rad

SEEDS = range(8)
SMALL_PX = 128


@pytest.fixture(scope="module")
def fundi() -> list[Fundus]:
    return [generate_fundus(seed, size_px=320, eye="L") for seed in SEEDS]


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_dataset(tmp_path_factory.mktemp("chase"), subjects=2, seed=3, size_px=SMALL_PX)


def test_arguments_decide_every_pixel() -> None:
    once, again = generate_fundus(5, size_px=160), generate_fundus(5, size_px=160)
    assert np.array_equal(once.image, again.image)
    assert np.array_equal(once.vessels, again.vessels)
    assert np.array_equal(once.field_of_view, again.field_of_view)


def test_other_seeds_and_other_eyes_differ(fundi: list[Fundus]) -> None:
    assert len({fundus.vessels.tobytes() for fundus in fundi}) == len(fundi)
    left, right = generate_fundus(0, size_px=160, eye="L"), generate_fundus(0, size_px=160, eye="R")
    assert not np.array_equal(left.vessels, right.vessels)
    assert not np.array_equal(left.vessels, right.vessels[:, ::-1])


def test_shapes_and_types(fundi: list[Fundus]) -> None:
    for fundus in fundi:
        assert fundus.image.shape == (320, 320, 3)
        assert fundus.image.dtype == np.uint8
        for mask in (fundus.vessels, fundus.field_of_view):
            assert mask.shape == (320, 320)
            assert mask.dtype == np.bool_


def test_the_field_of_view_holds_the_vessels_and_is_surrounded_by_black(fundi: list[Fundus]) -> None:
    for fundus in fundi:
        assert not (fundus.vessels & ~fundus.field_of_view).any()
        assert 0.6 < fundus.field_of_view.mean() < 0.9
        outside = cv2.erode((~fundus.field_of_view).astype(np.uint8), np.ones((5, 5))) > 0
        assert fundus.image[outside].max() <= 8


@pytest.mark.parametrize(("eye", "disc_on_the_right"), [("L", False), ("R", True)])
def test_the_eye_turns_its_macula_to_the_temple(eye: Eye, disc_on_the_right: bool) -> None:
    fundus = next(f for f in (generate_fundus(seed, size_px=160, eye=eye) for seed in SEEDS) if _off_centre(f))
    assert (_disc_x(fundus) > 80) == disc_on_the_right


def test_share_of_vessels_is_that_of_real_eyes(fundi: list[Fundus]) -> None:
    shares = [fundus.vessels.sum() / fundus.field_of_view.sum() for fundus in fundi]
    assert all(0.04 < share < 0.15 for share in shares)
    # The 20 real photographs of this layout that were measured, at this size: 0.072 to 0.121.
    assert 0.07 < np.mean(shares) < 0.12


def test_vessels_are_as_much_darker_than_their_surroundings_as_in_real_eyes(fundi: list[Fundus]) -> None:
    contrasts = [_local_contrast(fundus) for fundus in fundi]
    assert all(0.12 < contrast < 0.32 for contrast in contrasts)
    # The 20 real photographs of this layout that were measured, at this size: 0.185 to 0.263.
    assert 0.185 < np.mean(contrasts) < 0.263


def test_the_same_eye_at_another_size() -> None:
    small, large = generate_fundus(2, size_px=160), generate_fundus(2, size_px=320)
    shrunk = cv2.resize(large.field_of_view.astype(np.float32), (160, 160), interpolation=cv2.INTER_AREA)
    assert np.mean((shrunk >= 0.5) != small.field_of_view) < 0.005
    assert abs(float(small.image.mean()) - float(large.image.mean())) < 3.0


@pytest.mark.parametrize(
    ("seed", "size_px", "eye", "complaint"),
    [(-1, 160, "L", "seed"), (0, 127, "L", "size_px"), (0, 160, "X", "eye")],
)
def test_impossible_arguments(seed: int, size_px: int, eye: str, complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        generate_fundus(seed, size_px=size_px, eye=eye)  # type: ignore[arg-type]


def test_murrays_angles() -> None:
    # Equal children of radius 2^(-1/3) leave at 37.5 degrees each; a twig leaves a trunk steeply and hardly turns it.
    assert np.degrees(murray_angle_rad(1.0, 0.5 ** (1 / 3), 0.5 ** (1 / 3))) == pytest.approx(37.5, abs=0.1)
    assert np.degrees(murray_angle_rad(1.0, 0.3, 0.991)) > 60.0
    assert np.degrees(murray_angle_rad(1.0, 0.991, 0.3)) < 10.0


def test_layout_of_the_dataset(dataset: Path) -> None:
    files = {path.relative_to(dataset).as_posix() for path in dataset.rglob("*") if path.is_file()}
    eyes = ("01L", "01R", "02L", "02R")
    expected = {f"images/Image_{eye}.jpg" for eye in eyes} | {f"mask/Image_{eye}.gif" for eye in eyes}
    assert files == expected | {f"1st_manual/Image_{eye}_1stHO.png" for eye in eyes} | {"synthetic.json"}
    assert json.loads((dataset / "synthetic.json").read_text())["subjects"] == 2


def test_masks_on_disk_are_those_of_the_picture(dataset: Path) -> None:
    seed = int(np.random.SeedSequence([3, 2]).generate_state(1, np.uint64)[0])
    fundus = generate_fundus(seed, size_px=SMALL_PX, eye="R")
    assert np.array_equal(_grey(dataset / "1st_manual/Image_02R_1stHO.png"), fundus.vessels * np.uint8(255))
    assert np.array_equal(_grey(dataset / "mask/Image_02R.gif"), fundus.field_of_view * np.uint8(255))
    photograph = np.asarray(Image.open(dataset / "images/Image_02R.jpg")).astype(int)
    assert np.abs(photograph - fundus.image).mean() < 6.0


def test_a_second_run_writes_nothing_and_still_reports_progress(dataset: Path) -> None:
    before = _snapshot(dataset)
    seen: list[tuple[int, int]] = []
    write_dataset(dataset, subjects=2, seed=3, size_px=SMALL_PX, on_progress=lambda *step: seen.append(step))
    assert _snapshot(dataset) == before
    assert seen == [(1, 4), (2, 4), (3, 4), (4, 4)]


def test_an_interrupted_run_is_completed_and_nothing_else_touched(tmp_path: Path) -> None:
    def stop_after_two(done: int, _: int) -> None:
        if done == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_dataset(tmp_path, subjects=2, size_px=SMALL_PX, on_progress=stop_after_two)
    half = _snapshot(tmp_path)
    assert len(half) == 6
    write_dataset(tmp_path, subjects=2, size_px=SMALL_PX)
    whole = _snapshot(tmp_path)
    assert half.items() <= whole.items()
    assert len(whole) == 13


def test_a_file_that_cannot_be_finished_is_not_left_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise OSError("the disk is full")

    monkeypatch.setattr(Path, "replace", fail)
    with pytest.raises(OSError, match="disk is full"):
        write_dataset(tmp_path, subjects=2, size_px=SMALL_PX)
    assert not _snapshot(tmp_path)


def test_a_lost_file_comes_back_as_it_was(tmp_path: Path) -> None:
    write_dataset(tmp_path, subjects=2, size_px=SMALL_PX)
    lost = tmp_path / "images/Image_01R.jpg"
    content = lost.read_bytes()
    lost.unlink()
    write_dataset(tmp_path, subjects=2, size_px=SMALL_PX)
    assert lost.read_bytes() == content


def test_more_subjects_are_added_to_those_there(tmp_path: Path) -> None:
    write_dataset(tmp_path, subjects=2, size_px=SMALL_PX)
    images = _snapshot(tmp_path / "images")
    write_dataset(tmp_path, subjects=3, size_px=SMALL_PX)
    assert images.items() <= _snapshot(tmp_path / "images").items()
    assert (tmp_path / "images/Image_03R.jpg").exists()


@pytest.mark.parametrize("change", [{"seed": 4}, {"size_px": 160}])
def test_another_datasets_folder_is_refused(dataset: Path, change: dict[str, Any]) -> None:
    before = _snapshot(dataset)
    with pytest.raises(FileExistsError, match="Image_01L"):
        write_dataset(dataset, **{"subjects": 2, "seed": 3, "size_px": SMALL_PX, **change})
    assert _snapshot(dataset) == before


def test_photographs_of_others_are_never_overwritten(tmp_path: Path) -> None:
    (tmp_path / "images").mkdir()
    photograph = tmp_path / "images/Image_01L.jpg"
    Image.new("RGB", (16, 16), "red").save(photograph)
    content = photograph.read_bytes()
    with pytest.raises(FileExistsError, match="choose an empty folder"):
        write_dataset(tmp_path, subjects=2, size_px=SMALL_PX)
    assert photograph.read_bytes() == content


@pytest.mark.parametrize(
    ("change", "complaint"), [({"subjects": 1}, "subjects"), ({"size_px": 127}, "size_px"), ({"seed": -1}, "seed")]
)
def test_impossible_datasets_leave_no_trace(tmp_path: Path, change: dict[str, Any], complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        write_dataset(tmp_path / "new", **{"subjects": 2, **change})
    assert not (tmp_path / "new").exists()


def _grey(path: Path) -> NDArray[np.uint8]:
    return np.asarray(Image.open(path).convert("L"))


def _snapshot(root: Path) -> dict[str, tuple[int, bytes]]:
    """Modification time and content of every file."""
    files = (path for path in root.rglob("*") if path.is_file())
    return {path.name: (path.stat().st_mtime_ns, path.read_bytes()) for path in files}


def _local_contrast(fundus: Fundus) -> float:
    """Mean over tiles of how much darker vessels are than a ring about them, as a share of the ring's green."""
    green, vessels = fundus.image[..., 1].astype(np.float32), fundus.vessels.astype(np.uint8)
    inner = cv2.erode(fundus.field_of_view.astype(np.uint8), np.ones((9, 9)))
    near = cv2.dilate(vessels, np.ones((3, 3)))
    ring = (cv2.dilate(vessels, np.ones((9, 9))) - near) * inner
    tile_px = green.shape[0] // 16

    def tile_mean(mask: NDArray[Any]) -> NDArray[np.float32]:
        tiles = [cv2.boxFilter(plane, -1, (tile_px, tile_px)) for plane in (green * mask, mask.astype(np.float32))]
        return np.asarray(tiles[0] / np.maximum(tiles[1], 0.02), np.float32)

    inside, around = tile_mean(vessels * inner), tile_mean(ring)
    sampled = (vessels * inner).astype(bool)
    return float(np.mean(1.0 - inside[sampled] / np.maximum(around[sampled], 1.0)))


def _disc_x(fundus: Fundus) -> float:
    """Column where the widest vessels are, which is the disc's."""
    width = cv2.GaussianBlur(fundus.vessels.astype(np.float32), (0, 0), 0.05 * fundus.vessels.shape[1])
    return float(np.argmax(width) % fundus.vessels.shape[1])


def _off_centre(fundus: Fundus) -> bool:
    return bool(abs(_disc_x(fundus) - fundus.vessels.shape[1] / 2) > 0.2 * fundus.vessels.shape[1])
