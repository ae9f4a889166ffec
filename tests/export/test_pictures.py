"""The pictures that the gate compares on."""

from pathlib import Path

import pytest
from untrained import model_folder

from export.pictures import read_pictures
from tasks import get_task

pytestmark = pytest.mark.slow


def test_few_pictures_are_turned(tmp_path: Path) -> None:
    """Quarter turns and mirror images, truth and field of view with them, until there are enough."""
    task = get_task("vessels")
    folder = model_folder(task, tmp_path / "model")
    pictures = read_pictures(folder, None, task, enough=30)
    plain = [picture for picture in pictures if "turn" not in picture.name]
    assert len(plain) == 4
    assert len(pictures) == 32
    assert len({picture.fitted.pixels.tobytes() for picture in pictures}) == 32
    first = [picture for picture in pictures if picture.name.startswith(plain[0].name)]
    assert len({int(picture.truth.sum()) for picture in first}) == 1
    assert {picture.truth.shape for picture in first} == {plain[0].truth.shape, plain[0].truth.shape[::-1]}
    assert read_pictures(folder, None, task, enough=3)[0].name == plain[0].name
