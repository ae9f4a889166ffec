"""A release is what it was, or it is refused."""

import subprocess
from pathlib import Path

import pytest

from tasks.checksums import FILE_NAME, verify_checksums, write_checksums
from tasks.errors import ChecksumError


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "deep").mkdir()
    (tmp_path / "a file").write_text("one")
    (tmp_path / "deep" / "b").write_bytes(bytes(range(256)))
    write_checksums(tmp_path)
    return tmp_path


def test_untouched_folder_passes_and_sha256sum_agrees(folder: Path) -> None:
    verify_checksums(folder)
    subprocess.run(["sha256sum", "--check", "--strict", FILE_NAME], cwd=folder, check=True, capture_output=True)


def test_byte_code_beside_models_does_not_count(folder: Path) -> None:
    (folder / "deep" / "__pycache__").mkdir()
    (folder / "deep" / "__pycache__" / "b.pyc").write_text("x")
    verify_checksums(folder)


def change(folder: Path) -> str:
    data = bytearray((folder / "deep" / "b").read_bytes())
    data[100] ^= 1
    (folder / "deep" / "b").write_bytes(data)
    return "deep/b"


def add(folder: Path) -> str:
    (folder / "new").write_text("x")
    return "new"


def remove(folder: Path) -> str:
    (folder / "a file").unlink()
    return "a file"


@pytest.mark.parametrize("fault", [change, add, remove])
def test_any_difference_is_refused_by_name(folder: Path, fault: object) -> None:
    name = fault(folder)  # type: ignore[operator]
    with pytest.raises(ChecksumError, match=name):
        verify_checksums(folder)


def test_folder_without_a_list_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ChecksumError, match="not a release"):
        verify_checksums(tmp_path)
