"""A dataset is what the folder was, to the pixel; it is versioned, repeatable, verifiable, and never half there."""

import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from drawn import copy_of, draw_drive, draw_stare
from PIL import Image

from tasks import TaskSpec, get_task
from tasks.imaging import decode
from training import deeplake_store
from training.errors import ConfigError, DataError
from training.ingest import IngestConfig, ingest, report_path, verify
from training.samples import Sample
from training.sources import data_digest, read_samples
from training.split import assign_folds

ROOT = Path(__file__).parents[2]


@pytest.fixture(params=["vessels", "stare", "drive", "eye_disease", "dubai_aerial", "landcover_ai"])
def published(
    request: pytest.FixtureRequest,
    tmp_path: Path,
    synthetic: Path,
    eye_disease_folder: Path,
    dubai_folder: Path,
    landcover_folder: Path,
) -> tuple[TaskSpec, Path]:
    folders: dict[str, tuple[str, Callable[[], Path]]] = {
        "vessels": ("vessels", lambda: synthetic),
        "stare": ("vessels", lambda: draw_stare(tmp_path / "stare")),
        "drive": ("vessels", lambda: draw_drive(tmp_path / "drive")),
        "eye_disease": ("eye_disease", lambda: eye_disease_folder),
        "dubai_aerial": ("dubai_aerial", lambda: dubai_folder),
        "landcover_ai": ("landcover_ai", lambda: landcover_folder),
    }
    task, folder = folders[request.param]
    return get_task(task), folder()


def configured(folder: Path, to: Path, task: str = "dubai_aerial", folds: int = 2, **options: object) -> IngestConfig:
    return IngestConfig(task=task, root=str(folder), to=str(to), folds=folds, **options)  # type: ignore[arg-type]


@pytest.fixture
def stored(dubai_folder: Path, tmp_path: Path) -> tuple[Path, Path]:
    """A folder that a test may change, and its dataset."""
    folder, to = copy_of(dubai_folder, tmp_path / "folder"), tmp_path / "data" / "dubai.deeplake"
    ingest(configured(folder, to))
    return folder, to


def test_what_comes_back_is_what_was_published(published: tuple[TaskSpec, Path], tmp_path: Path) -> None:
    task, folder = published
    to = tmp_path / "set.deeplake"
    assert ingest(configured(folder, to, task.name)).changed
    before = assign_folds(read_samples(folder, task), 2)
    after = read_samples(to, task)
    assert [known(s) for s in after] == sorted(known(s) for s in before)
    assert data_digest(after) == data_digest(before)
    contents = {s.name: s.read() for s in before}
    for sample in after:
        raw, kept = contents[sample.name], sample.read()
        assert kept.encoded.startswith(b"\x89PNG")
        assert np.array_equal(decode(kept.encoded), decode(raw.encoded))
        for plane, other in ((kept.mask, raw.mask), (kept.field_of_view, raw.field_of_view)):
            assert (plane is None) == (other is None)
            assert plane is None or (plane.dtype == other.dtype and np.array_equal(plane, other))


def known(sample: Sample) -> tuple[object, ...]:
    return sample.name, sample.subject, sample.digest, sample.label, sample.held_out, sample.fold


def test_unchanged_input_changes_nothing(stored: tuple[Path, Path]) -> None:
    folder, to = stored
    length, files = deeplake_store.history_length(to), snapshot(to)
    again = ingest(configured(folder, to))
    assert (again.changed, again.version.tag) == (False, "v1")
    assert deeplake_store.history_length(to) == length
    assert snapshot(to) == files


def snapshot(folder: Path) -> dict[str, bytes]:
    files = (path for path in folder.rglob("*") if path.is_file() and not path.name.endswith(".lock"))
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


def test_changed_input_is_a_new_version_and_the_old_one_stays(stored: tuple[Path, Path]) -> None:
    folder, to = stored
    task = get_task("dubai_aerial")
    before = {s.name: s.digest for s in read_samples(to, task)}
    repaint(folder / "Tile 2" / "images" / "image_part_002.jpg")
    (folder / "Tile 3" / "images" / "image_part_001.jpg").unlink()
    (folder / "Tile 3" / "masks" / "image_part_001.png").unlink()
    (folder / "Tile 1").rename(folder / "Tile 9")
    done = ingest(configured(folder, to))
    assert (done.changed, done.version.tag, done.version.rows) == (True, "v2", 11)
    after = {s.name: s for s in read_samples(to, task)}
    raw = {s.name: s for s in assign_folds(read_samples(folder, task), 2)}
    assert {name: known(s) for name, s in after.items()} == {name: known(s) for name, s in raw.items()}
    for name, sample in after.items():
        assert np.array_equal(decode(sample.read().encoded), decode(raw[name].read().encoded))
    old = read_samples(to.with_name(f"{to.name}@v1"), task)
    assert {s.name: s.digest for s in old} == before
    assert verify(configured(folder, to)) == []
    with pytest.raises(DataError, match="has no version v7; it has v1, v2"):
        read_samples(to.with_name(f"{to.name}@v7"), task)


def repaint(path: Path) -> None:
    pixels = np.asarray(Image.open(path))
    Image.fromarray(255 - pixels).save(path)


def test_other_folds_are_a_new_version_of_the_same_rows(stored: tuple[Path, Path]) -> None:
    folder, to = stored
    done = ingest(configured(folder, to, folds=3))
    assert (done.version.tag, done.version.folds) == ("v2", 3)
    assert {s.fold for s in read_samples(to, get_task("dubai_aerial"))} == {0, 1, 2}
    assert verify(configured(folder, to)) == []


def test_tags(stored: tuple[Path, Path]) -> None:
    folder, to = stored
    length = deeplake_store.history_length(to)
    assert not ingest(configured(folder, to, tag="first")).changed
    assert list(deeplake_store.versions(to)) == ["v1", "first"]
    assert deeplake_store.history_length(to) == length
    repaint(folder / "Tile 2" / "images" / "image_part_002.jpg")
    with pytest.raises(DataError, match="has a version first of other content"):
        ingest(configured(folder, to, tag="first"))
    assert ingest(configured(folder, to, tag="second")).version.tag == "second"
    with pytest.raises(DataError, match="has a version v1 of other content"):
        ingest(configured(folder, to, tag="v1"))
    with pytest.raises(ConfigError, match="no name for a version"):
        ingest(configured(folder, to, tag="a/b"))


def test_dataset_says_what_it_is(stored: tuple[Path, Path]) -> None:
    import deeplake

    _, to = stored
    dataset = deeplake.open_read_only(str(to))
    assert dataset.metadata["task"] == "dubai_aerial"
    assert dataset.metadata["classes"][1] == "building"
    assert dataset.tags.names() == ["v1"]
    assert [v.message for v in dataset.history][-1] == "v1: 12 pictures for dubai_aerial from dubai_aerial"
    report = json.loads(report_path(to).read_text())
    assert report["folds"] == [
        {"fold": 0, "subjects": 2, "rows": 8, "classes": {}},
        {"fold": 1, "subjects": 1, "rows": 4, "classes": {}},
    ]
    report_path(to).unlink()
    ingest(configured(stored[0], to))
    assert json.loads(report_path(to).read_text()) == report


@pytest.mark.parametrize("at", [0.2, 0.5, 0.9])
def test_damaged_rows_are_named(stored: tuple[Path, Path], at: float) -> None:
    folder, to = stored
    chunk = max((path for path in to.rglob("*") if path.is_file()), key=lambda path: path.stat().st_size)
    content = bytearray(chunk.read_bytes())
    content[int(at * len(content))] ^= 0xFF
    copy = copy_of(to, to.with_name("damaged.deeplake"))
    (copy / chunk.relative_to(to)).write_bytes(content)
    damaged = verify(configured(folder, copy))
    assert len(damaged) == 1
    assert damaged[0].startswith("Tile_")
    assert verify(configured(folder, to)) == []


@pytest.mark.parametrize("column", ["image", "mask"])
def test_one_changed_pixel_is_noticed(stored: tuple[Path, Path], column: str) -> None:
    import deeplake

    folder, to = stored
    dataset = deeplake.open(str(to))
    pixels = np.array(dataset[7][column])
    pixels[40, 50] ^= 1
    dataset[7][column] = pixels
    dataset.commit("somebody was here")
    name = dataset[7]["name"]
    del dataset
    copy = copy_of(to, to.with_name("changed.deeplake"))
    assert verify(configured(folder, copy)) == [name]


def test_changed_folds_are_noticed(stored: tuple[Path, Path]) -> None:
    import deeplake

    folder, to = stored
    dataset = deeplake.open(str(to))
    dataset[3]["fold"] = 1 - int(dataset["fold"][3])
    dataset.commit("somebody was here")
    del dataset
    copy = copy_of(to, to.with_name("changed.deeplake"))
    assert verify(configured(folder, copy)) == ["the names, subjects, labels or folds differ from those ingested"]


def test_rows_that_are_missing_are_noticed(stored: tuple[Path, Path]) -> None:
    import deeplake

    _, to = stored
    dataset = deeplake.open(str(to))
    dataset.delete(3)
    dataset.commit("somebody was here")
    del dataset
    copy = copy_of(to, to.with_name("changed.deeplake"))
    with pytest.raises(DataError, match="has 11 rows and 12 were ingested"):
        read_samples(copy, get_task("dubai_aerial"))


def test_interrupted_ingest_changes_nothing(stored: tuple[Path, Path]) -> None:
    folder, to = stored
    files = snapshot(to)
    repaint(folder / "Tile 2" / "images" / "image_part_002.jpg")

    def stop(what: str, done: int, _: int) -> None:
        if what == "writing" and done == 1:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        ingest(configured(folder, to), stop)
    assert snapshot(to) == files
    assert ingest(configured(folder, to)).version.tag == "v2"
    assert verify(configured(folder, to)) == []


def test_kill_between_the_two_moves_loses_nothing(stored: tuple[Path, Path]) -> None:
    folder, to = stored
    to.rename(to.with_name(f".{to.name}.previous"))
    assert not ingest(configured(folder, to)).changed
    assert len(read_samples(to, get_task("dubai_aerial"))) == 12


@pytest.mark.slow
def test_killed_process_leaves_no_half_dataset(dubai_folder: Path, tmp_path: Path) -> None:
    to = tmp_path / "set.deeplake"
    code = (
        "import os, signal\n"
        "from training.ingest import IngestConfig, ingest\n"
        f"config = IngestConfig(task='dubai_aerial', root={str(dubai_folder)!r}, to={str(to)!r}, folds=2)\n"
        "def kill(what, done, total):\n"
        "    if what == 'writing' and done == total - 1:\n"
        "        os.kill(os.getpid(), signal.SIGKILL)\n"
        "ingest(config, kill)\n"
    )
    killed = subprocess.run([sys.executable, "-c", code], check=False, cwd=ROOT, capture_output=True, timeout=120)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    assert not to.exists()
    assert ingest(configured(dubai_folder, to)).version.tag == "v1"
    assert verify(configured(dubai_folder, to)) == []


def test_two_at_a_time_are_refused(stored: tuple[Path, Path]) -> None:
    import fcntl

    folder, to = stored
    with to.with_name(f".{to.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(DataError, match="another process is ingesting"):
            ingest(configured(folder, to))


def test_something_else_is_never_overwritten(dubai_folder: Path, eye_disease_folder: Path, tmp_path: Path) -> None:
    to = tmp_path / "mine"
    to.mkdir()
    (to / "thesis.txt").write_text("years of work")
    with pytest.raises(DataError, match="is no dataset"):
        ingest(configured(dubai_folder, to))
    assert (to / "thesis.txt").read_text() == "years of work"
    data = tmp_path / "eyes.deeplake"
    ingest(configured(eye_disease_folder, data, "eye_disease"))
    with pytest.raises(DataError, match="another kind of data"):
        ingest(configured(dubai_folder, data))
    with pytest.raises(DataError, match="was ingested for eye_disease and not for vessels"):
        read_samples(data, get_task("vessels"))


def test_duplicates_are_reported_refused_or_dropped(eye_disease_folder: Path, tmp_path: Path) -> None:
    folder = copy_of(eye_disease_folder, tmp_path / "folder")
    original = folder / "glaucoma" / "10_left.jpg"
    (folder / "normal" / "777_left.jpg").write_bytes(original.read_bytes())
    smaller = Image.open(folder / "normal" / "11_left.jpg").resize((108, 108))
    smaller.save(folder / "normal" / "778_left.jpg", quality=95)
    report = ingest(configured(folder, tmp_path / "a.deeplake", "eye_disease")).version.report
    pairs = {(pair["first"], pair["second"]): pair for pair in report["duplicates"]}
    assert pairs["glaucoma_10_left", "normal_777_left"]["conflict"]
    assert pairs["glaucoma_10_left", "normal_777_left"]["kind"] == "exact"
    assert pairs["normal_11_left", "normal_778_left"]["kind"] == "near"
    assert (len(pairs), report["label_conflicts"]) == (2, 1)
    with pytest.raises(DataError, match="glaucoma_10_left and normal_777_left"):
        ingest(configured(folder, tmp_path / "b.deeplake", "eye_disease", on_duplicates="refuse"))
    assert not (tmp_path / "b.deeplake").exists()
    kept = configured(folder, tmp_path / "c.deeplake", "eye_disease", on_duplicates="drop")
    assert ingest(kept).version.report["dropped"] == ["glaucoma_10_left", "normal_777_left", "normal_778_left"]
    assert not ingest(kept).changed
    names = {s.name for s in read_samples(tmp_path / "c.deeplake", get_task("eye_disease"))}
    assert "normal_11_left" in names
    assert not names & {"glaucoma_10_left", "normal_777_left", "normal_778_left"}


def test_unreadable_picture_is_named_and_nothing_is_written(dubai_folder: Path, tmp_path: Path) -> None:
    folder = copy_of(dubai_folder, tmp_path / "folder")
    (folder / "Tile 1" / "images" / "image_part_001.jpg").write_bytes(b"\xff\xd8\xff not a JPEG")
    with pytest.raises(DataError, match=r"image_part_001\.jpg cannot be read"):
        ingest(configured(folder, tmp_path / "set.deeplake"))
    assert not (tmp_path / "set.deeplake").exists()


def test_loader_processes_read_the_same(stored: tuple[Path, Path]) -> None:
    """Handles of Deep Lake do not survive a fork."""
    from torch.utils.data import DataLoader

    samples = read_samples(stored[1], get_task("dubai_aerial"))
    here = [int(decode(sample.read().encoded).sum()) for sample in samples]

    def total(index: int) -> int:
        return int(decode(samples[index].read().encoded).sum())

    class Totals:
        def __len__(self) -> int:
            return len(samples)

        def __getitem__(self, index: int) -> int:
            return total(index)

    there = [int(value) for value in DataLoader(Totals(), batch_size=None, num_workers=2)]  # type: ignore[arg-type]
    assert there == here


def test_folder_is_read_without_deep_lake(synthetic: Path) -> None:
    """It reports to its maker when it is imported, so only those pay who use it."""
    code = (
        "import sys; from pathlib import Path; from tasks import get_task; from training.sources import read_samples\n"
        f"read_samples(Path({str(synthetic)!r}), get_task('vessels'))[0].read(); print('deeplake' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT, capture_output=True, text=True)
    assert done.stdout == "False\n"


def test_reading_is_quick(stored: tuple[Path, Path]) -> None:
    samples = read_samples(stored[1], get_task("dubai_aerial"))
    started_s = time.monotonic()
    for sample in samples * 10:
        sample.read()
    assert time.monotonic() - started_s < 5.0
