"""Samples for labelling: none unless allowed, the least sure first, bounded, and gone when they should be."""

import fcntl
import json
import logging
import os
import shutil
import time
from pathlib import Path

import cv2
import numpy as np
import pytest

from tasks.samples import Policy, Sample, Samples, SamplesError, enable

MASK = np.eye(64, dtype=np.uint8)
OFTEN = 3_600_000.0  # candidates an hour: one a millisecond


def store(folder: Path, **policy: float) -> Samples:
    return enable(folder / "samples", Policy(**({"candidates_per_hour": OFTEN} | policy)))  # type: ignore[arg-type]


def keep(samples: Samples, uncertainty: float, data: bytes = b"picture", task: str = "vessels") -> str | None:
    time.sleep(0.005)
    key = f"{task}-{time.monotonic_ns()}"
    assert samples.offer(data, key)
    kept = samples.judge(key, task, {"entropy": uncertainty}, MASK)
    return kept.id if kept else None


def test_nothing_is_kept_where_nobody_allowed_it(tmp_path: Path) -> None:
    with pytest.raises(SamplesError, match="samples enable"):
        Samples(tmp_path)
    assert not list(tmp_path.iterdir())


def test_a_sample_is_the_picture_and_what_was_predicted(tmp_path: Path) -> None:
    samples = store(tmp_path)
    name = keep(samples, 0.7)
    assert name
    folder = samples.folder / "kept" / name
    assert (folder / "image").read_bytes() == b"picture"
    assert (cv2.imread(str(folder / "mask.png"), cv2.IMREAD_UNCHANGED) == MASK).all()
    assert json.loads((folder / "sample.json").read_text())["uncertainty"] == 0.7
    assert [sample.id for sample in samples.all()] == [name]
    assert not list((samples.folder / "pending").iterdir())


def test_it_is_its_owners_alone(tmp_path: Path) -> None:
    samples = store(tmp_path)
    keep(samples, 0.5)
    for path in [samples.folder, *samples.folder.rglob("*")]:
        assert path.stat().st_mode & 0o077 == 0, path


def test_the_most_uncertain_stay(tmp_path: Path) -> None:
    samples = store(tmp_path, max_images=3)
    names = {value: keep(samples, value) for value in (0.2, 0.9, 0.1, 0.5, 0.7)}
    assert [sample.uncertainty for sample in samples.all()] == [0.9, 0.7, 0.5]
    assert keep(samples, 0.05) is None
    assert names[0.9]


def test_the_disk_is_bounded(tmp_path: Path) -> None:
    samples = store(tmp_path, max_mb=0.01)
    for index in range(8):
        keep(samples, 0.1 * index, data=b"x" * 3000)
    files = [*(samples.folder / "kept").rglob("image"), *(samples.folder / "kept").rglob("mask.png")]
    total = sum(path.stat().st_size for path in files)
    assert 0 < total <= 10_000


def test_the_rate_is_one_for_all_processes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    now_s = 1_800_000_000.0006  # .001 when rounded to milliseconds: ahead of the next offer
    monkeypatch.setattr(time, "time", lambda: now_s)
    samples, taken = store(tmp_path, candidates_per_hour=3600 / 0.2), 0
    others = [Samples(samples.folder, clock=time.time) for _ in range(3)]
    for tick in range(5000):
        now_s += 1e-4
        taken += others[tick % 3].offer(b"x", f"vessels-{tick}")
    assert taken == 3


def test_what_is_never_judged_does_not_pile_up(tmp_path: Path) -> None:
    samples = store(tmp_path)
    for index in range(40):
        time.sleep(0.002)
        samples.offer(b"x", f"vessels-{index}")
    pending = list((samples.folder / "pending").iterdir())
    assert 0 < len(pending) <= 16
    for path in pending:
        os.utime(path, (0, 0))
    samples.prune()
    assert not list((samples.folder / "pending").iterdir())


def test_old_samples_go(tmp_path: Path) -> None:
    samples = store(tmp_path, days=1)
    name = keep(samples, 0.9)
    described = samples.folder / "kept" / str(name) / "sample.json"
    described.write_text(json.dumps(json.loads(described.read_text()) | {"kept_s": time.time() - 90_000}))
    assert samples.prune() == [name]
    assert samples.all() == []


@pytest.mark.parametrize("name", ["../../etc", "0" * 16, ""])
def test_what_is_not_there_cannot_be_deleted(tmp_path: Path, name: str) -> None:
    samples = store(tmp_path)
    kept = keep(samples, 0.5)
    with pytest.raises(SamplesError, match="has no sample"):
        samples.delete(name)
    samples.delete(str(kept))
    assert not (samples.folder / "kept" / str(kept)).exists()


def test_an_unfinished_sample_is_none(tmp_path: Path) -> None:
    samples = store(tmp_path)
    unfinished = samples.folder / "kept" / ".0123456789abcdef"
    unfinished.mkdir()
    (unfinished / "image").write_bytes(b"x")
    assert samples.all() == []
    os.utime(unfinished, (0, 0))
    samples.prune()
    assert not unfinished.exists()


def test_a_forged_key_keeps_nothing(tmp_path: Path) -> None:
    samples = store(tmp_path)
    assert not samples.holds("vessels-17")
    with pytest.raises(OSError, match="No such file"):
        samples.judge("vessels-17", "vessels", {"entropy": 1.0})
    assert list((samples.folder / "kept").iterdir()) == []


@pytest.mark.parametrize("said", [bytes(20), b"yesterday"])
def test_an_unreadable_turn_counts_as_none(tmp_path: Path, said: bytes) -> None:
    samples = store(tmp_path)
    (samples.folder / ".turn-vessels").write_bytes(said)
    assert samples.offer(b"x", "vessels-1")


@pytest.mark.parametrize("policy", [{"candidates_per_hour": 0}, {"candidates_per_hour": "60"}, {"days": float("nan")}])
def test_a_policy_that_bounds_nothing_is_a_sentence(tmp_path: Path, policy: dict[str, object]) -> None:
    samples = store(tmp_path)
    (samples.folder / "policy.json").write_text(json.dumps(policy))
    with pytest.raises(SamplesError, match=f"{next(iter(policy))} is .* and must be a number above 0"):
        Samples(samples.folder)


@pytest.mark.parametrize("wrong", [{"uncertainty": "0.5"}, {"kept_s": None}])
def test_a_description_edited_by_hand_stops_nothing(tmp_path: Path, wrong: dict[str, object]) -> None:
    samples = store(tmp_path)
    described = samples.folder / "kept" / str(keep(samples, 0.9)) / "sample.json"
    described.write_text(json.dumps(json.loads(described.read_text()) | wrong))
    assert keep(samples, 0.5)


@pytest.mark.parametrize("said", [None, "[]", "{", '{"kept_s": 1e300}', '{"uncertainty": 1}'])
def test_a_folder_that_does_not_describe_itself_is_listed_and_ages(tmp_path: Path, said: str | None) -> None:
    samples = store(tmp_path, days=1)
    name = str(keep(samples, 0.9))
    described = samples.folder / "kept" / name / "sample.json"
    whole = json.loads(described.read_text())
    described.unlink()
    if said is not None:
        described.write_text(json.dumps(whole | json.loads(said)) if "kept_s" in said else said)
    [found] = samples.all()
    assert (found.id, found.uncertainty) == (name, 0.0)
    assert found.bytes >= len(b"picture")
    os.utime(described.parent, (0, 0))
    assert samples.prune() == [name]
    assert not described.parent.exists()


def test_keys_that_a_later_version_adds_are_ignored(tmp_path: Path) -> None:
    samples = store(tmp_path)
    described = samples.folder / "kept" / str(keep(samples, 0.9)) / "sample.json"
    described.write_text(json.dumps(json.loads(described.read_text()) | {"camera": "any"}))
    assert [sample.uncertainty for sample in samples.all()] == [0.9]


def test_a_folder_copied_by_hand_goes_like_any_other(tmp_path: Path) -> None:
    samples = store(tmp_path, max_images=1)
    first = samples.folder / "kept" / str(keep(samples, 0.5))
    shutil.copytree(first, first.with_name("a copy"))
    assert keep(samples, 0.9)
    assert [sample.uncertainty for sample in samples.all()] == [0.9]


def test_removing_what_is_gone_is_no_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    samples = store(tmp_path, days=1)
    old = Sample("gone", "vessels", 0.0, 0.5, {}, None, 1)
    monkeypatch.setattr(samples, "all", lambda: [old])
    assert samples.prune() == ["gone"]


def test_a_picture_over_the_limit_goes_alone(tmp_path: Path) -> None:
    samples = store(tmp_path, max_mb=0.01)
    names = {keep(samples, value) for value in (0.1, 0.2)}
    assert keep(samples, 0.9, data=b"x" * 20_000) is None
    assert {sample.id for sample in samples.all()} == names


def test_every_task_has_its_places(tmp_path: Path) -> None:
    """A task whose entropy is high by nature leaves room for the others."""
    samples = store(tmp_path, max_images=4)
    for value in (0.8, 0.9, 0.7, 0.95):
        keep(samples, value, task="eye_disease")
    for value in (0.1, 0.3, 0.2):
        keep(samples, value)
    found = [(sample.task, sample.uncertainty) for sample in samples.all()]
    assert found == [("eye_disease", 0.95), ("eye_disease", 0.9), ("vessels", 0.3), ("vessels", 0.2)]


def test_every_task_has_its_turn(tmp_path: Path) -> None:
    samples = store(tmp_path, candidates_per_hour=1)
    assert samples.offer(b"x", "vessels-1")
    assert not samples.offer(b"x", "vessels-2")
    assert samples.offer(b"x", "eye_disease-3")


@pytest.mark.timeout(10)
def test_a_request_does_not_wait_for_who_removes(tmp_path: Path) -> None:
    samples = store(tmp_path, max_images=1)
    keep(samples, 0.5)
    held = os.open(samples.folder / "kept", os.O_RDONLY)
    fcntl.flock(held, fcntl.LOCK_EX)
    try:
        assert keep(samples, 0.7)
        assert len(samples.all()) == 2
    finally:
        os.close(held)
    keep(samples, 0.9)
    assert [sample.uncertainty for sample in samples.all()] == [0.9]


def test_without_its_policy_nothing_more_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # Not by caplog: libraries that other tests load in this process switch off the loggers that were there.
    said: list[str] = []
    monkeypatch.setattr(logging.getLogger("tasks.samples"), "warning", said.append)
    now_s = [1000.0]
    samples = Samples(store(tmp_path).folder, clock=lambda: now_s[0])
    assert samples.offer(b"x", "vessels-1")
    policy = samples.folder / "policy.json"
    allowed = policy.read_text()
    policy.unlink()
    now_s[0] += 61
    time.sleep(0.005)
    assert not samples.offer(b"x", "vessels-2")
    assert samples.judge("vessels-1", "vessels", {"entropy": 0.9}) is None
    assert not [*(samples.folder / "kept").iterdir(), *(samples.folder / "pending").iterdir()]
    now_s[0] += 61
    assert not samples.offer(b"x", "vessels-2")
    policy.write_text(allowed)
    now_s[0] += 61
    assert samples.offer(b"x", "vessels-3")
    gone, back = said
    assert gone.startswith(f"no sample is kept any more: {samples.folder} keeps no samples")
    assert back == f"samples are kept again in {samples.folder}"


def test_a_folder_in_use_for_something_else_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "holiday.jpg").write_bytes(b"x")
    mode = tmp_path.stat().st_mode
    with pytest.raises(SamplesError, match="holds other files"):
        enable(tmp_path, Policy())
    assert tmp_path.stat().st_mode == mode
    samples = store(tmp_path)
    assert store(tmp_path, days=2).policy.days == 2
    monkeypatch.setattr(os, "geteuid", lambda: samples.folder.stat().st_uid + 1)
    with pytest.raises(SamplesError, match="another user"):
        store(tmp_path)


@pytest.mark.parametrize("name", [".turn-vessels", "pending/.vessels-1"])
def test_no_link_is_written_through(tmp_path: Path, name: str) -> None:
    samples, other = store(tmp_path), tmp_path / "other"
    other.write_bytes(b"")
    (samples.folder / name).symlink_to(other)
    with pytest.raises(OSError, match="symbolic links"):
        samples.offer(b"x", "vessels-1")
    assert other.read_bytes() == b""
