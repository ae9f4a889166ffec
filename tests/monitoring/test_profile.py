"""A profile is what was written, or it is refused in one sentence."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from monitoring import profile
from monitoring.errors import MonitoringError, ProfileError
from monitoring.network import Network
from monitoring.pictures import Figures
from monitoring.profile import FILE_NAME, default_folder, read_reference, write_reference
from tasks import get_task

EYES = get_task("eye_disease")


def _figures(seed: int = 0, count: int = 12) -> Figures:
    generator = np.random.default_rng(seed)
    return Figures(
        generator.random((count, 8)),
        generator.random((count, 2)),
        generator.integers(0, 4, count),
        generator.random((count, 4), dtype=np.float32),
    )


@pytest.fixture(scope="module")
def network(placed: Path) -> Network:
    return Network(placed, EYES)


@pytest.fixture
def folder(network: Network, tmp_path: Path) -> Path:
    write_reference(tmp_path / "reference", network, _figures(), np.full((6, 2), 0.5))
    return tmp_path / "reference"


def test_what_is_read_is_what_was_written(folder: Path, network: Network) -> None:
    read = read_reference(folder, EYES)
    for name, column in vars(_figures()).items():
        assert (getattr(read.figures, name) == column).all()
    assert read.performance.shape == (6, 2)
    assert (read.header.release, read.header.network) == (network.release, network.sha256)


def test_it_lies_beside_the_release_and_leaves_it_whole(placed: Path, network: Network) -> None:
    folder = default_folder(placed, network.release, "eye_disease")
    assert folder.parts[-3:] == ("references", network.release[:16], "eye_disease")
    write_reference(folder, network, _figures(), np.empty((0, 2)))
    assert Network(placed, EYES).release == network.release
    shutil.rmtree(folder)


def test_a_new_profile_replaces_the_former_and_leaves_two_files(folder: Path, network: Network) -> None:
    write_reference(folder, network, _figures(seed=1), np.empty((0, 2)))
    assert len(list(folder.iterdir())) == 2
    assert (read_reference(folder, EYES).figures.input == _figures(seed=1).input).all()


def test_killed_before_the_end_the_former_profile_stands(
    folder: Path, network: Network, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = profile.write_whole

    def killed(target: Path, content: str | bytes) -> None:
        if target.name == FILE_NAME:
            raise KeyboardInterrupt
        whole(target, content)

    monkeypatch.setattr(profile, "write_whole", killed)
    with pytest.raises(KeyboardInterrupt):
        write_reference(folder, network, _figures(seed=1), np.empty((0, 2)))
    assert (read_reference(folder, EYES).figures.input == _figures().input).all()


def _table(folder: Path) -> Path:
    return next(folder.glob("*.npz"))


def _change_header(folder: Path, **changes: object) -> None:
    header = json.loads((folder / FILE_NAME).read_text())
    (folder / FILE_NAME).write_text(json.dumps(header | changes))


DAMAGE = {
    "cut off": (lambda folder: _table(folder).write_bytes(_table(folder).read_bytes()[:-9]), "is not the table"),
    "gone": (lambda folder: _table(folder).unlink(), "cannot be read"),
    "no header": (lambda folder: (folder / FILE_NAME).unlink(), "there is no"),
    "header is no JSON": (lambda folder: (folder / FILE_NAME).write_text("{"), "cannot be read"),
    "unknown field": (lambda folder: _change_header(folder, more=1), "cannot be read"),
    "digest that leads elsewhere": (lambda folder: _change_header(folder, table="../../x"), "cannot be read"),
    "of the future": (lambda folder: _change_header(folder, version=2), "version 2"),
    "of another task": (lambda folder: _change_header(folder, task="vessels"), "is of vessels"),
    "counts differ": (lambda folder: _change_header(folder, images=99), "do not fit together"),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_damage_is_one_sentence_that_says_what_to_do(folder: Path, damage: str) -> None:
    change, words = DAMAGE[damage]
    change(folder)
    with pytest.raises(ProfileError, match=words) as caught:
        read_reference(folder, EYES)
    assert "python -m monitoring reference --task eye_disease" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_table_that_is_too_large_is_not_read(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(profile, "MAX_TABLE_BYTES", 100)
    with pytest.raises(ProfileError, match="over 100 bytes"):
        read_reference(folder, EYES)


def test_objects_are_not_unpickled(folder: Path, network: Network, monkeypatch: pytest.MonkeyPatch) -> None:
    pickled = {**vars(_figures()), "performance": np.array([[print]], dtype=object)}
    packed = profile._packed(pickled)
    monkeypatch.setattr(profile, "_packed", lambda _: packed)
    write_reference(folder, network, _figures(), np.empty((0, 2)))
    with pytest.raises(ProfileError, match="allow_pickle"):
        read_reference(folder, EYES)


def test_a_release_that_was_changed_is_refused(tmp_path: Path, placed: Path) -> None:
    copy = Path(shutil.copytree(placed.resolve(), tmp_path / "copy"))
    (copy / "eye_disease_network" / "1" / "model.onnx").write_bytes(b"other")
    with pytest.raises(MonitoringError, match="is not the release that was placed"):
        Network(copy, EYES)


def test_a_release_without_the_task_says_what_to_export(placed: Path) -> None:
    with pytest.raises(MonitoringError, match="export vessels with onnx"):
        Network(placed, get_task("vessels"))
