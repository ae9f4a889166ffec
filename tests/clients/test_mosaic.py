"""Whole pictures in files: georeference, memory, what a failure leaves. The network is a function of a pixel."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import rasterio
from fovea_client import (
    ClassInfo,
    FoveaError,
    InvalidImageError,
    InvalidRequestError,
    Outcome,
    OutputError,
    ServerError,
    TaskInfo,
)
from fovea_client.segmentation import Segmentation
from fovea_client.tiled.mosaic import Mosaic, TiledSegmentation
from fovea_client.tiled.raster import read_all_blocks, source_tags
from rasterio.control import GroundControlPoint
from rasterio.enums import ColorInterp
from rasterio.transform import from_origin

CLASSES = tuple(ClassInfo(i, name, (i, 2 * i, 3 * i)) for i, name in enumerate("abcd"))
LAND = TaskInfo("land", CLASSES, None)
PLACE = {"crs": "EPSG:32640", "transform": from_origin(325_000.0, 2_790_000.0, 0.5, 0.5)}


def answer(pixels: np.ndarray, classes: tuple[ClassInfo, ...] = CLASSES) -> Segmentation:
    """A class by the pixel's own brightness: what is joined rightly does not depend on the tiles."""
    grey = pixels if pixels.ndim == 2 else pixels[..., 0]
    mask = np.uint8(grey > 127) if len(classes) == 2 else (grey // 64).astype(np.uint8)
    return Segmentation(mask, grey.copy(), "land", "3", classes, 1.0)


def run(source: Path, to: Path, ask: Callable[[np.ndarray], Segmentation] = answer, **options) -> TiledSegmentation:
    settings = {"task": LAND, "tile_px": 128} | options
    with Mosaic(source, to, **settings) as mosaic:
        for index, tile in enumerate(mosaic.tiles()):
            try:
                outcome = Outcome(index, tile, ask(tile), None)
            except FoveaError as error:
                outcome = Outcome(index, tile, None, error)
            mosaic.take(outcome)
        return mosaic.finish()


def write(path: Path, planes: np.ndarray, **profile) -> Path:
    count, height, width = planes.shape
    settings = {"driver": "GTiff", "count": count, "height": height, "width": width, "dtype": planes.dtype} | profile
    with rasterio.open(path, "w", **settings) as file:
        file.write(planes)
        if "interpretation" in profile:
            file.colorinterp = profile["interpretation"]
    return path


pytestmark = pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")


@pytest.fixture
def planes() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (3, 300, 500), dtype=np.uint8)


@pytest.fixture
def photo(tmp_path: Path, planes: np.ndarray) -> Path:
    return write(tmp_path / "photo.tif", planes, **PLACE)


def test_the_mask_lies_where_the_picture_lies(photo: Path, planes: np.ndarray, tmp_path: Path) -> None:
    steps: list[tuple[int, int]] = []
    to, certainty = tmp_path / "mask.tif", tmp_path / "certainty.tif"
    result = run(photo, to, probability=certainty, progress=lambda *step: steps.append(step))
    with rasterio.open(to) as file, rasterio.open(photo) as original, rasterio.open(certainty) as second:
        assert file.profile["driver"] == "GTiff"
        for each in (file, second):
            assert (each.crs, each.transform, each.shape) == (original.crs, original.transform, original.shape)
            assert each.profile["tiled"]
            assert each.profile["compress"] == "deflate"
        np.testing.assert_array_equal(file.read(1), planes[0] // 64)
        np.testing.assert_array_equal(second.read(1), planes[0])
        assert file.colormap(1)[3] == (3, 6, 9, 255)
        assert file.nodata is None
    tags = {"task": "land", "tile_px": "128", "overlap_px": "default"} | source_tags(photo)
    assert read_all_blocks(to) == read_all_blocks(certainty) == tags
    assert (result.mask, result.probability, result.model_version) == (to, certainty, "3")
    assert (result.height_px, result.width_px, sum(result.pixels)) == (300, 500, 150_000)
    assert result.pixels == tuple(np.bincount((planes[0] // 64).ravel()))
    assert steps == [(done, len(steps)) for done in range(1, len(steps) + 1)]
    assert result.tiles == len(steps) == 4 * 7
    assert {path.name for path in tmp_path.iterdir()} == {"photo.tif", "mask.tif", "certainty.tif"}


def test_ground_control_points_are_a_place_too(planes: np.ndarray, tmp_path: Path) -> None:
    points = [GroundControlPoint(row, column, column / 2, -row / 2) for row, column in ((0, 0), (0, 500), (300, 0))]
    source = write(tmp_path / "scan.tif", planes, gcps=points, crs="EPSG:4326")
    run(source, tmp_path / "mask.tif")
    with rasterio.open(tmp_path / "mask.tif") as file:
        assert [(point.row, point.col, point.x, point.y) for point in file.gcps[0]] == [
            (point.row, point.col, point.x, point.y) for point in points
        ]
        assert file.gcps[1].to_epsg() == 4326


def test_a_photograph_without_a_place_is_cut_too(planes: np.ndarray, tmp_path: Path, recwarn) -> None:
    source = write(tmp_path / "photo.png", planes, driver="PNG")
    recwarn.clear()
    run(source, tmp_path / "mask.tif")
    assert [str(warning.message) for warning in recwarn] == []
    with rasterio.open(tmp_path / "mask.tif") as file:
        np.testing.assert_array_equal(file.read(1), planes[0] // 64)


def test_red_is_red_wherever_it_is_stored(planes: np.ndarray, tmp_path: Path) -> None:
    order = (ColorInterp.undefined, ColorInterp.blue, ColorInterp.green, ColorInterp.red)
    four = np.concatenate([planes[:1] // 2, planes[::-1]])
    seen = []
    source = write(tmp_path / "infrared.tif", four, interpretation=order)
    run(source, tmp_path / "mask.tif", lambda tile: seen.append(tile) or answer(tile), tile_px=512)
    np.testing.assert_array_equal(seen[0], np.moveaxis(planes, 0, -1))


def test_what_a_tile_lacks_is_mirrored(planes: np.ndarray, photo: Path, tmp_path: Path) -> None:
    """Every tile has the network's full size and stands where the stride puts it."""
    seen = []
    run(photo, tmp_path / "mask.tif", lambda tile: seen.append(tile) or answer(tile))
    assert {tile.shape for tile in seen} == {(128, 128, 3)}
    last = np.moveaxis(planes[:, 192:, 384:], 0, -1)
    np.testing.assert_array_equal(seen[-1], np.pad(last, ((0, 20), (0, 12), (0, 0)), "symmetric"))


def test_grey_stays_grey(planes: np.ndarray, tmp_path: Path) -> None:
    seen = []
    source = write(tmp_path / "grey.tif", planes[:1])
    run(source, tmp_path / "mask.tif", lambda tile: seen.append(tile) or answer(tile), tile_px=512)
    np.testing.assert_array_equal(seen[0], planes[0])


def test_two_classes_are_joined_by_probability(planes: np.ndarray, photo: Path, tmp_path: Path) -> None:
    run(photo, tmp_path / "mask.tif", lambda tile: answer(tile, CLASSES[:2]), task=TaskInfo("land", CLASSES[:2], None))
    with rasterio.open(tmp_path / "mask.tif") as file:
        np.testing.assert_array_equal(file.read(1), planes[0] > 127)


def test_tiles_without_a_picture_are_not_sent(planes: np.ndarray, tmp_path: Path) -> None:
    """An orthophoto's footprint is seldom a rectangle."""
    planes = np.maximum(planes, 1)
    planes[:, :, 200:] = 0
    source = write(tmp_path / "footprint.tif", planes, nodata=0, **PLACE)
    result = run(source, tmp_path / "mask.tif")
    with rasterio.open(tmp_path / "mask.tif") as file:
        mask = file.read(1)
        assert file.nodata == 255
    np.testing.assert_array_equal(mask[:, :200], planes[0, :, :200] // 64)
    assert (mask[:, 200:] == 255).all()
    assert sum(result.pixels) == 300 * 200
    assert result.tiles == 4 * 4


def test_a_file_of_nothing_is_nothing(planes: np.ndarray, tmp_path: Path) -> None:
    source = write(tmp_path / "empty.tif", planes * 0, nodata=0)
    result = run(source, tmp_path / "mask.tif", lambda tile: pytest.fail("sent"))
    assert (result.tiles, result.pixels, result.model_version) == (0, (0, 0, 0, 0), "")


@pytest.mark.parametrize("lost", [0, 5, 27])
def test_one_tile_that_fails_leaves_nothing(photo: Path, tmp_path: Path, lost: int) -> None:
    to, sent = tmp_path / "mask.tif", iter(range(100))
    to.write_bytes(b"older")

    def ask(tile: np.ndarray) -> Segmentation:
        if next(sent) == lost:
            raise ServerError("oh", model="land", server_message="oh")
        return answer(tile)

    with pytest.raises(ServerError) as caught:
        run(photo, to, ask)
    row, column = divmod(lost, 7)
    top, left = 64 * row, 64 * column
    place = f"rows {top} to {min(top + 128, 300) - 1}, columns {left} to {min(left + 128, 500) - 1}"
    assert str(caught.value) == f"{photo}: no answer to the tile at {place}, so nothing was written: oh"
    assert (caught.value.model, caught.value.server_message) == ("land", "oh")
    assert to.read_bytes() == b"older"
    assert {path.name for path in tmp_path.iterdir()} == {"photo.tif", "mask.tif"}


def test_an_answer_of_another_size_is_refused(photo: Path, tmp_path: Path) -> None:
    with pytest.raises(ServerError, match="another size"):
        run(photo, tmp_path / "mask.tif", lambda tile: answer(tile[:-1]))


def test_it_is_not_finished_before_its_end(photo: Path, tmp_path: Path) -> None:
    with Mosaic(photo, tmp_path / "mask.tif", task=LAND, tile_px=128) as mosaic:
        tile = next(mosaic.tiles())
        mosaic.take(Outcome(0, tile, answer(tile), None))
        with pytest.raises(InvalidRequestError, match="1 of 28 tiles are done"):
            mosaic.finish()
    assert {path.name for path in tmp_path.iterdir()} == {"photo.tif"}


def test_a_damaged_picture_is_one_sentence(photo: Path, tmp_path: Path) -> None:
    whole = photo.read_bytes()
    for name, data in {"text.tif": b"no picture", "cut.tif": whole[: len(whole) // 2]}.items():
        (tmp_path / name).write_bytes(data)
        with pytest.raises(InvalidImageError, match=f"{name}: cannot be read as a picture"):
            run(tmp_path / name, tmp_path / "mask.tif")
    with pytest.raises(InvalidImageError, match="cannot be read"):
        run(tmp_path / "nowhere.tif", tmp_path / "mask.tif")
    assert not list(tmp_path.glob("*mask*"))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"planes": np.zeros((3, 200, 200), np.uint16)}, "uint16; scale them to 8 bits"),
        ({"colours": True}, "has a palette"),
    ],
)
def test_samples_are_not_guessed_at(tmp_path: Path, change: dict, said: str) -> None:
    source = write(tmp_path / "odd.tif", change.get("planes", np.zeros((1, 200, 200), np.uint8)))
    if "colours" in change:
        with rasterio.open(source, "r+") as file:
            file.write_colormap(1, {0: (255, 0, 0, 255)})
    with pytest.raises(InvalidImageError, match=said):
        run(source, tmp_path / "mask.tif")


def test_results_never_replace_the_picture(photo: Path, tmp_path: Path) -> None:
    before = photo.read_bytes()
    with pytest.raises(OutputError, match="is the picture itself"):
        run(photo, tmp_path / "photo.tif")
    with pytest.raises(OutputError, match="named twice"):
        run(photo, tmp_path / "mask.tif", probability=tmp_path / "mask.tif")
    with pytest.raises(OutputError, match="cannot be written"):
        run(photo, tmp_path / "nowhere" / "mask.tif")
    assert photo.read_bytes() == before
    assert {path.name for path in tmp_path.iterdir()} == {"photo.tif"}


FULL_DISK = """
import resource, signal, sys
from test_mosaic import run
from fovea_client import OutputError
from pathlib import Path
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
try:
    run(Path(sys.argv[1]), Path(sys.argv[2]))
except OutputError as error:
    print(error)
"""
KILLED = """
import sys, time
from test_mosaic import answer, run
from pathlib import Path
def slow(tile):
    print("asked", flush=True)
    time.sleep(0.2)
    return answer(tile)
run(Path(sys.argv[1]), Path(sys.argv[2]), slow)
"""
# The most memory that the process ever held; getrusage would count what its parent held before the fork.
LARGE = """
import re, sys
from test_mosaic import answer, run
from pathlib import Path
def most_kb():
    return int(re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1])
small, large = Path(sys.argv[1]), Path(sys.argv[2])
run(small, large.with_name("first.tif"), tile_px=512)
before = most_kb()
run(large, large.with_name("mask.tif"), tile_px=512, overlap_px=64)
print(most_kb() - before)
"""


def python(code: str, *words: Path) -> subprocess.Popen[str]:
    here = f"{Path(__file__).parent}{os.pathsep}{os.environ.get('PYTHONPATH', '')}"
    command = [sys.executable, "-c", code, *map(str, words)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=os.environ | {"PYTHONPATH": here})


def test_a_full_disk_is_one_sentence_and_leaves_nothing(photo: Path, tmp_path: Path) -> None:
    said, _ = python(FULL_DISK, photo, tmp_path / "mask.tif").communicate(timeout=60)
    assert said.startswith(f"{tmp_path / 'mask.tif'}: cannot be written (")
    assert {path.name for path in tmp_path.iterdir()} == {"photo.tif"}


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT], ids=lambda number: number.name)
def test_a_killed_run_leaves_no_half_mask(photo: Path, tmp_path: Path, number: signal.Signals) -> None:
    process = python(KILLED, photo, tmp_path / "mask.tif")
    assert process.stdout is not None
    assert process.stdout.readline() == "asked\n"
    time.sleep(0.5)
    process.send_signal(number)
    process.communicate(timeout=30)
    assert not (tmp_path / "mask.tif").exists()
    if number is signal.SIGINT:
        assert {path.name for path in tmp_path.iterdir()} == {"photo.tif"}


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="memory is read from /proc")
def test_a_picture_far_larger_than_memory_is_not_held(photo: Path, tmp_path: Path) -> None:
    """201 MB of pixels pass through."""
    side_px, stripe = 8192, np.random.default_rng(0).integers(0, 256, (3, 16, 8192), dtype=np.uint8)
    large = tmp_path / "large.tif"
    profile = {"driver": "GTiff", "count": 3, "height": side_px, "width": side_px, "dtype": "uint8", "tiled": True}
    with rasterio.open(large, "w", **profile) as file:
        for top in range(0, side_px, 256):
            block = np.tile(stripe, (1, 16, 1))
            file.write(block, window=((top, top + 256), (0, side_px)))
    said, _ = python(LARGE, photo, large).communicate(timeout=120)
    grown_mb = int(said) / 1024
    assert grown_mb < 80, "GDAL caches 64 MB at most, the overlaps of a row take 2 MB"
    with rasterio.open(tmp_path / "mask.tif") as file:
        np.testing.assert_array_equal(file.read(1, window=((4000, 4100), (0, side_px)))[0], stripe[0, 4000 % 16] // 64)
