"""A test set stays what it was, and says what it is made of."""

import json
import shutil
from pathlib import Path

import pytest
from frozen_set import frozen_set

from pipelines.__main__ import main
from pipelines.errors import PipelineError
from pipelines.judging.frozen import FrozenSet, freeze, read_frozen


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, FrozenSet]:
    folder = tmp_path_factory.mktemp("frozen")
    return folder, frozen_set(folder, size_px=256)


def test_every_picture_is_in_a_third_and_people_are_named(drawn: tuple[Path, FrozenSet]) -> None:
    folder, made = drawn
    assert sorted(name for members in made.slices.values() for name in members) == [
        picture.name for picture in made.pictures
    ]
    assert set(made.slices) == {"dark", "medium", "bright"}
    assert made.subjects == {"41", "42", "43"}
    assert not (folder / "test_set" / "held_out" / "probability").exists()


@pytest.mark.parametrize("change", ["remove", "edit", "add"])
def test_a_changed_set_is_refused(drawn: tuple[Path, FrozenSet], tmp_path: Path, change: str) -> None:
    copy = Path(shutil.copytree(drawn[0] / "test_set", tmp_path / "copy"))
    picture = next((copy / "held_out" / "images").iterdir())
    if change == "remove":
        picture.unlink()
    elif change == "edit":
        picture.write_bytes(picture.read_bytes() + b"\0")
    else:
        shutil.copy(picture, picture.with_name("Image_99L.jpg"))
    with pytest.raises(PipelineError, match="is no frozen test set"):
        read_frozen(copy)


def test_own_slices_are_judged_too(drawn: tuple[Path, FrozenSet], tmp_path: Path) -> None:
    own, model = tmp_path / "slices.json", drawn[0] / "strangers_model"
    own.write_text(json.dumps({"left eyes": ["Image_41L", "Image_42L"]}))
    assert main(["freeze", "--model", str(model), "--to", str(tmp_path / "set"), "--slices", str(own)]) == 0
    assert read_frozen(tmp_path / "set").slices["left eyes"] == ["Image_41L", "Image_42L"]


@pytest.mark.parametrize("content", ['{"left": []}', '{"left": ["nobody"]}', "[]", '{"left": "Image_41L"}', "{"])
def test_a_slice_of_nothing_is_refused(
    drawn: tuple[Path, FrozenSet], tmp_path: Path, content: str, capsys: pytest.CaptureFixture[str]
) -> None:
    own, model = tmp_path / "slices.json", drawn[0] / "strangers_model"
    own.write_text(content)
    assert main(["freeze", "--model", str(model), "--to", str(tmp_path / "set"), "--slices", str(own)]) == 1
    assert capsys.readouterr().out.startswith("error: ")
    assert not (tmp_path / "set").exists()


def test_a_set_is_made_once(drawn: tuple[Path, FrozenSet]) -> None:
    with pytest.raises(PipelineError, match="made once"):
        freeze(drawn[0] / "strangers_model", drawn[0] / "test_set")
