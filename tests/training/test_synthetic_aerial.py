"""Drawn land: masks that fit their pictures, both layouts, a place on the ground, and colours that tell the class."""

from pathlib import Path

import numpy as np
import pytest
import rasterio
from PIL import Image

from tasks import get_task
from tasks.imaging import decode
from training.__main__ import main
from training.sources import data_digest, read_samples
from training.synthetic import DRAWN, write_dubai_aerial, write_landcover_ai
from training.synthetic.scenery import Ground, draw_scene

DUBAI, LANDCOVER = get_task("dubai_aerial"), get_task("landcover_ai")


def test_every_ground_is_drawn_and_looks_different() -> None:
    scene = draw_scene((4, 1), 300, 400)
    assert scene.image.shape == (300, 400, 3)
    assert set(np.unique(scene.ground)) == set(Ground)
    means = {kind: scene.image[scene.ground == kind].mean(axis=0) for kind in Ground}
    distances = [np.abs(means[a] - means[b]).max() for a in Ground for b in Ground if a < b]
    assert min(distances) > 20


def test_dubai_layout(dubai_folder: Path) -> None:
    assert sorted(path.name for path in dubai_folder.iterdir()) == ["Tile 1", "Tile 2", "Tile 3", "synthetic.json"]
    image = Image.open(dubai_folder / "Tile 1" / "images" / "image_part_001.jpg")
    mask = Image.open(dubai_folder / "Tile 1" / "masks" / "image_part_001.png")
    assert image.size == mask.size == (128, 96)


def test_landcover_is_georeferenced_and_leaves_an_edge(landcover_folder: Path) -> None:
    for folder, bands in (("images", 3), ("masks", 1)):
        with rasterio.open(landcover_folder / folder / "M-33-02.tif") as file:
            assert file.crs.to_epsg() == 2180
            assert file.res == (0.5, 0.5)
            assert (file.count, file.shape) == (bands, (770, 700))
    with rasterio.open(landcover_folder / "masks" / "M-33-02.tif") as file:
        assert set(np.unique(file.read(1))) == set(range(len(LANDCOVER.classes)))


def test_colour_tells_the_class(dubai_folder: Path) -> None:
    """The nearest mean colour of two tiles names most pixels of the third."""
    samples = read_samples(dubai_folder, DUBAI)
    pixels = np.concatenate([decode(s.read().encoded).reshape(-1, 3) for s in samples]).astype(float)
    classes = np.concatenate([_mask(s.read().mask).ravel() for s in samples])
    tile = np.repeat([s.subject for s in samples], 96 * 128)
    seen = (tile != "Tile 3") & (classes > 0)
    means = np.array([pixels[seen & (classes == index)].mean(axis=0) for index in range(1, len(DUBAI.classes))])
    judged = (tile == "Tile 3") & (classes > 0)
    nearest = 1 + np.abs(pixels[judged][:, None] - means).sum(axis=2).argmin(axis=1)
    assert (nearest == classes[judged]).mean() > 0.7


def _mask(mask: np.ndarray | None) -> np.ndarray:
    assert mask is not None
    return mask


def test_arguments_decide_every_byte(dubai_folder: Path, landcover_folder: Path, tmp_path: Path) -> None:
    dubai = write_dubai_aerial(tmp_path / "dubai", subjects=3, seed=2, size_px=128)
    landcover = write_landcover_ai(tmp_path / "landcover", subjects=2, seed=4, size_px=700)
    assert data_digest(read_samples(dubai, DUBAI)) == data_digest(read_samples(dubai_folder, DUBAI))
    assert data_digest(read_samples(landcover, LANDCOVER)) != data_digest(read_samples(landcover_folder, LANDCOVER))


def test_lost_mask_comes_back_and_another_set_is_refused(tmp_path: Path) -> None:
    root = write_dubai_aerial(tmp_path / "set", subjects=2, size_px=96)
    mask = root / "Tile 2" / "masks" / "image_part_003.png"
    content = mask.read_bytes()
    mask.unlink()
    write_dubai_aerial(root, subjects=2, size_px=96)
    assert mask.read_bytes() == content
    with pytest.raises(FileExistsError, match="choose an empty folder"):
        write_landcover_ai(root, subjects=2, size_px=96)


@pytest.mark.parametrize("task", sorted(DRAWN))
def test_front_door_draws_every_task(task: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["synthesise", "--task", task, "--root", str(tmp_path / "set"), "--subjects", "8", "--size-px", "128"]
    assert main(words) == 0
    if task != "landcover_ai":
        assert len({sample.subject for sample in read_samples(tmp_path / "set", get_task(task))}) == 8
    assert main(words) == 0
    capsys.readouterr()
    assert main([*words[:-1], "8"]) == 1
    assert "size_px must be at least" in capsys.readouterr().out
