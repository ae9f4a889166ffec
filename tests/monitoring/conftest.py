"""Pictures that are drawn in no time, and releases whose networks are a few nodes."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from onnx_release import onnx_release
from PIL import Image

from tasks import get_task

Draw = Callable[..., Path]


@pytest.fixture(scope="session")
def placed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The link to a release of eye_disease, as `python -m export` leaves it."""
    build = tmp_path_factory.mktemp("build")
    release = onnx_release(build / "releases" / "0123", get_task("eye_disease"))
    (build / "model_repository").symlink_to(release)
    return build / "model_repository"


@pytest.fixture
def draw(tmp_path: Path) -> Draw:
    """Draws a folder of pictures whose colours vary as photographs' do, times `gain`."""

    def draw(name: str, count: int, seed: int = 0, gain: float = 1.0) -> Path:
        folder = tmp_path / name
        folder.mkdir()
        generator = np.random.default_rng(seed)
        for number in range(count):
            colour = generator.normal([130, 110, 90], 12)
            noise = generator.normal(0, 8, (64, 64, 3))
            pixels = np.clip((colour + noise) * gain, 0, 255).astype(np.uint8)
            Image.fromarray(pixels).save(folder / f"{number:03}.png")
        return folder

    return draw
