"""Seams against the real server: tiled masks are those of the untiled picture, and of a network that sees all of it."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import rasterio
import torch
from doors import ROOT, Launched
from fovea_client import AsyncClient, Client
from PIL import Image

from export.artefact import Material
from export.formats import FORMATS
from export.place import place
from tasks import TASKS
from training.serving_module import ServingModule
from training.synthetic.scenery import draw_scene
from training.weights import load_serving_module

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning"),
]
TASK = TASKS["dubai_aerial"]
DUBAI = ROOT / ".." / "shared" / "data" / "dubai_aerial"
SEAM = 0.001


@pytest.fixture(scope="module")
def module() -> ServingModule:
    return load_serving_module(ROOT / "weights" / TASK.name)[0]


@pytest.fixture(scope="module")
def served(module: ServingModule, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Launched]:
    """The shipped weights, placed as they are: what they are worth is not the question here."""
    folder = tmp_path_factory.mktemp("tiled")
    FORMATS["onnx"].write(Material(module, TASK, {}, list), folder / "model.onnx")
    place(TASK.name, {"model.onnx": folder / "model.onnx"}, {"parity": []}, folder / "model_repository")
    server = Launched(folder / "model_repository", folder)
    try:
        yield server.wait()
    finally:
        server.stop()


@pytest.fixture
def client(served: Launched) -> Iterator[Client]:
    with Client(served.grpc, timeout_s=60) as connected:
        yield connected


def mosaic(number: int) -> np.ndarray:
    """The nine parts of one published tile, side by side as they were cut."""
    parts = [DUBAI / f"Tile {number}" / "images" / f"image_part_{part:03}.jpg" for part in range(1, 10)]
    pictures = [np.asarray(Image.open(part).convert("RGB")) for part in parts]
    return np.vstack([np.hstack(pictures[row : row + 3]) for row in (0, 3, 6)])


def save(pixels: np.ndarray, path: Path) -> Path:
    Image.fromarray(pixels).save(path)
    return path


def read(path: Path) -> np.ndarray:
    with rasterio.open(path) as file:
        return np.asarray(file.read(1))


def at_once(module: ServingModule, pixels: np.ndarray) -> np.ndarray:
    """The mask of a network that has no seams, because it sees the whole picture: what a server never does."""
    with torch.inference_mode():
        return np.asarray(module(torch.from_numpy(pixels[None].copy()))[0][0])


@pytest.mark.parametrize("size", [(512, 512), (300, 512), (420, 333)], ids=str)
def test_a_picture_that_fits_has_the_mask_of_the_untiled_one(client: Client, tmp_path: Path, size) -> None:
    picture = save(draw_scene((5, 0), *size).image, tmp_path / "scene.png")
    client.segment_tiled(picture, tmp_path / "mask.tif", task=TASK.name, probability=tmp_path / "sure.tif")
    untiled = client.segment(picture, task=TASK.name)
    assert len(np.unique(untiled.mask)) > 1
    np.testing.assert_array_equal(read(tmp_path / "mask.tif"), untiled.mask)
    np.testing.assert_array_equal(read(tmp_path / "sure.tif"), untiled.probability)


def test_the_scale_is_the_callers(client: Client, tmp_path: Path) -> None:
    """A tile of 1,024 pixels is scaled by a half, as the untiled picture of that size is."""
    picture = save(draw_scene((5, 1), 900, 1024).image, tmp_path / "scene.png")
    client.segment_tiled(picture, tmp_path / "mask.tif", task=TASK.name, tile_px=1024)
    np.testing.assert_array_equal(read(tmp_path / "mask.tif"), client.segment(picture, task=TASK.name).mask)


@pytest.mark.parametrize("size", [(1088, 1408), (1041, 1367)], ids=str)
def test_many_tiles_have_the_mask_of_the_whole_drawn_scene(client: Client, module, tmp_path: Path, size) -> None:
    """Of any size: at a picture's own edge the network sees something else, so that the inside is compared."""
    pixels = draw_scene((5, 2), 1088, 1408).image
    picture = save(pixels[: size[0], : size[1]], tmp_path / "scene.png")
    result = client.segment_tiled(picture, tmp_path / "mask.tif", task=TASK.name)
    assert result.tiles == 4 * 5
    inside = np.s_[: size[0] - 128, : size[1] - 128]
    assert (read(tmp_path / "mask.tif")[inside] != at_once(module, pixels)[inside]).mean() <= SEAM


@pytest.mark.skipif(not DUBAI.is_dir(), reason="dubai_aerial is not beside the checkout")
def test_many_tiles_have_the_mask_of_the_whole_photograph(client: Client, served, module, tmp_path: Path) -> None:
    pixels = mosaic(6)[200:1224, 300:1580]
    picture = save(pixels, tmp_path / "photo.tif")
    client.segment_tiled(picture, tmp_path / "mask.tif", task=TASK.name)
    tiled = read(tmp_path / "mask.tif")
    assert (tiled != at_once(module, pixels)).mean() <= SEAM

    async def again() -> None:
        async with AsyncClient(served.grpc, timeout_s=60) as other:
            await other.segment_tiled(picture, tmp_path / "again.tif", task=TASK.name, in_flight=8)

    asyncio.run(again())
    assert (read(tmp_path / "again.tif") != tiled).mean() < 1e-4


def test_tiles_that_do_not_overlap_show_seams(client: Client, module, tmp_path: Path) -> None:
    """What the overlap is for: without one this very measure sees the seams."""
    pixels = draw_scene((5, 2), 1088, 1408).image
    picture = save(pixels, tmp_path / "scene.png")
    client.segment_tiled(picture, tmp_path / "mask.tif", task=TASK.name, overlap_px=0)
    assert (read(tmp_path / "mask.tif") != at_once(module, pixels)).mean() > SEAM
