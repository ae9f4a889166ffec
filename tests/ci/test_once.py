"""What the suite's processes share is made by one of them."""

import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from once import made_once


def test_the_others_wait_for_the_first(tmp_path: Path) -> None:
    made: list[Path] = []

    def make(folder: Path) -> None:
        made.append(folder)
        time.sleep(0.2)
        (folder / "result").touch()

    def use(_: int) -> bool:
        return (made_once(tmp_path / "shared", make) / "result").exists()

    with ThreadPoolExecutor(3) as processes:
        assert list(processes.map(use, range(3))) == [True] * 3
    assert len(made) == 1


def test_what_failed_is_made_anew_by_the_next(tmp_path: Path) -> None:
    def fail(folder: Path) -> None:
        (folder / "half").touch()
        raise ValueError("the disk is full")

    with pytest.raises(ValueError, match="the disk is full"):
        made_once(tmp_path / "shared", fail)
    shared = made_once(tmp_path / "shared", lambda folder: (folder / "result").touch())
    assert [path.name for path in shared.iterdir()] == ["result"]
