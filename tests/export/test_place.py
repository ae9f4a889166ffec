"""A release is whole, named by its content and swapped in at one stroke."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from google.protobuf import text_format
from tritonclient.grpc import model_config_pb2

from export.config import load_config
from export.errors import ExportError, PlaceError
from export.place import place, verify
from tasks import TASKS


@pytest.fixture
def artefacts(tmp_path: Path) -> dict[str, Path]:
    (tmp_path / "model.onnx").write_bytes(b"weights")
    return {"model.onnx": tmp_path / "model.onnx"}


def test_release_holds_configurations_artefacts_and_provenance(tmp_path: Path, artefacts: dict[str, Path]) -> None:
    to = tmp_path / "model_repository"
    release = place("vessels", artefacts, {"run_id": "r"}, to)
    assert to.resolve() == release
    assert (to / "vessels_network" / "1" / "model.onnx").read_bytes() == b"weights"
    assert (to / "vessels" / "1").is_dir()
    provenance = verify(to)
    assert provenance["tasks"] == {"vessels": {"run_id": "r"}}
    assert set(provenance["files"]) == {
        path.relative_to(release).as_posix() for path in release.rglob("*") if path.is_file()
    } - {"provenance.json", "SHA256SUMS"}


def test_the_endpoint_can_tell_what_it_was_made_from(tmp_path: Path, artefacts: dict[str, Path]) -> None:
    made = {"weights_sha256": 'ab"c', "metrics": {"dice": 0.79}, "parity": ["much"], "run_id": "Zürich"}
    release = place("vessels", artefacts, made, tmp_path / "repository")
    config = model_config_pb2.ModelConfig()
    text_format.Parse((release / "vessels" / "config.pbtxt").read_text(), config)
    told = json.loads(config.parameters["provenance"].string_value)
    assert told == {name: made[name] for name in ("weights_sha256", "metrics", "run_id")}
    assert config.parameters["task"].string_value == "vessels"


def test_same_content_is_the_same_release(tmp_path: Path, artefacts: dict[str, Path]) -> None:
    first = place("vessels", artefacts, {}, tmp_path / "repository")
    assert place("vessels", artefacts, {}, tmp_path / "repository") == first
    assert place("vessels", artefacts, {"other": 1}, tmp_path / "repository") != first
    assert len(list((tmp_path / "releases").iterdir())) == 2


def test_a_task_joins_the_others_and_is_replaced_alone(tmp_path: Path, artefacts: dict[str, Path]) -> None:
    to = tmp_path / "repository"
    place("vessels", artefacts, {"made": 1}, to)
    place("eye_disease", artefacts, {"made": 2}, to)
    artefacts["model.onnx"].write_bytes(b"other weights")
    place("eye_disease", artefacts, {"made": 3}, to)
    provenance = verify(to)
    assert provenance["tasks"] == {"vessels": {"made": 1}, "eye_disease": {"made": 3}}
    assert (to / "vessels_network" / "1" / "model.onnx").read_bytes() == b"weights"
    assert (to / "eye_disease_network" / "1" / "model.onnx").read_bytes() == b"other weights"
    assert {path.name for path in to.glob("*/")} >= {"vessels", "eye_disease", "eye_disease_postprocess"}


def test_order_does_not_matter(tmp_path: Path, artefacts: dict[str, Path]) -> None:
    names = ["vessels", "eye_disease", "landcover_ai"]
    for order, to in ((names, tmp_path / "a" / "to"), (names[::-1], tmp_path / "b" / "to")):
        for name in order:
            place(name, artefacts, {}, to)
    assert (tmp_path / "a" / "to").resolve().name == (tmp_path / "b" / "to").resolve().name


def change_a_byte(release: Path) -> None:
    (release / "vessels_network" / "1" / "model.onnx").write_bytes(b"weightz")


def remove_a_file(release: Path) -> None:
    (release / "vessels_preprocess" / "1" / "model.py").unlink()


def add_a_file(release: Path) -> None:
    (release / "vessels_preprocess" / "1" / "other.py").write_text("")


def forge_the_provenance(release: Path) -> None:
    content = json.loads((release / "provenance.json").read_text())
    content["tasks"]["vessels"] = {"made": "elsewhere"}
    (release / "provenance.json").write_text(json.dumps(content))


def drop_a_folder(release: Path) -> None:
    shutil.rmtree(release / "vessels_postprocess")


@pytest.mark.parametrize(
    "damage", [change_a_byte, remove_a_file, add_a_file, forge_the_provenance, drop_a_folder], ids=lambda f: f.__name__
)
def test_damaged_task_gets_no_new_seal(
    tmp_path: Path, artefacts: dict[str, Path], damage: Callable[[Path], None]
) -> None:
    to = tmp_path / "repository"
    release = place("vessels", artefacts, {}, to)
    damage(release)
    with pytest.raises(PlaceError, match="export every task again"):
        place("eye_disease", artefacts, {}, to)
    assert to.resolve() == release
    assert not (release / "eye_disease").exists()


def test_byte_code_is_not_carried_along(tmp_path: Path, artefacts: dict[str, Path]) -> None:
    to = tmp_path / "repository"
    release = place("vessels", artefacts, {}, to)
    cache = release / "vessels_preprocess" / "1" / "__pycache__"
    cache.mkdir()
    (cache / "model.cpython-311.pyc").write_bytes(b"anything")
    assert not list(place("eye_disease", artefacts, {}, to).rglob("__pycache__"))


def test_tasks_placed_at_once_are_both_there(tmp_path: Path, artefacts: dict[str, Path]) -> None:
    to = tmp_path / "repository"
    script = (
        "import sys; from pathlib import Path; from export.place import place\n"
        "place(sys.argv[1], {'model.onnx': Path(sys.argv[2])}, {}, Path(sys.argv[3]))"
    )
    words = [str(artefacts["model.onnx"]), str(to)]
    writers = [subprocess.Popen([sys.executable, "-c", script, name, *words]) for name in TASKS]
    assert [writer.wait() for writer in writers] == [0] * len(TASKS)
    assert set(verify(to)["tasks"]) == set(TASKS)


def test_damaged_release_is_noticed_and_mended(tmp_path: Path, artefacts: dict[str, Path]) -> None:
    to = tmp_path / "repository"
    release = place("vessels", artefacts, {}, to)
    (release / "vessels_network" / "1" / "model.onnx").write_bytes(b"weightz")
    with pytest.raises(PlaceError, match=r"vessels_network/1/model\.onnx"):
        verify(to)
    assert place("vessels", artefacts, {}, to) == release
    verify(to)


def test_foreign_folder_is_not_overwritten(tmp_path: Path, artefacts: dict[str, Path]) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("x")
    with pytest.raises(PlaceError, match="not a placed release"):
        place("vessels", artefacts, {}, tmp_path / "mine")
    assert (tmp_path / "mine" / "thesis.txt").exists()


def test_unwritable_folder_is_one_sentence(artefacts: dict[str, Path]) -> None:
    with pytest.raises(PlaceError, match="cannot be written"):
        place("vessels", artefacts, {}, Path("/proc/fovea/repository"))


KILLED = """
import sys, os, signal
from pathlib import Path
from export import place as module
steps = {step!r}
original = getattr(module, steps)
def killed(*arguments):
    os.kill(os.getpid(), signal.SIGKILL)
setattr(module, steps, killed)
module.place("vessels", {{"model.onnx": Path(sys.argv[1])}}, {{"new": 1}}, Path(sys.argv[2]))
"""


@pytest.mark.parametrize("step", ["write_checksums", "_adopt", "_point"])
def test_kill_leaves_the_old_release(tmp_path: Path, artefacts: dict[str, Path], step: str) -> None:
    to = tmp_path / "repository"
    release = place("vessels", artefacts, {}, to)
    script = KILLED.format(step=step)
    killed = subprocess.run([sys.executable, "-c", script, str(artefacts["model.onnx"]), str(to)], check=False)
    assert killed.returncode == -signal.SIGKILL
    assert to.resolve() == release
    verify(to)
    assert place("vessels", artefacts, {"new": 1}, to) != release


def test_release_can_be_read_while_it_is_replaced(tmp_path: Path, artefacts: dict[str, Path]) -> None:
    """A reader never finds the repository missing while another process places release after release."""
    to = tmp_path / "repository"
    place("vessels", artefacts, {}, to)
    script = (
        "import sys; from pathlib import Path; from export.place import place\n"
        "for number in range(40): place('vessels', {'model.onnx': Path(sys.argv[1])}, {'n': number}, Path(sys.argv[2]))"
    )
    writer = subprocess.Popen([sys.executable, "-c", script, str(artefacts["model.onnx"]), str(to)])
    looks = 0
    while writer.poll() is None:
        assert (to / "provenance.json").is_file()
        json.loads((Path(os.path.realpath(to)) / "provenance.json").read_text())
        looks += 1
        time.sleep(0.001)
    assert writer.returncode == 0
    assert looks > 10


@pytest.mark.parametrize("word", ["formats=[onxx]", "formats=[]", "modle=x", "formats=3", "to", "task=roads"])
def test_wrong_word_is_named(word: str) -> None:
    with pytest.raises(ExportError) as caught:
        load_config([word])
    assert "\n" not in str(caught.value)
