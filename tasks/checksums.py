"""SHA256SUMS of a folder: what makes a release immutable. The format is sha256sum's own, so `sha256sum -c` reads it."""

import hashlib
from pathlib import Path

from tasks.errors import ChecksumError

FILE_NAME = "SHA256SUMS"
_CHUNK_BYTES = 1 << 20


def sha256_of(path: Path) -> str:
    """Return the file's SHA-256 as 64 hexadecimal digits."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK_BYTES):
            digest.update(chunk)
    return digest.hexdigest()


def list_checksums(folder: Path) -> dict[str, str]:
    """Return path relative to the folder → SHA-256, sorted, for every file below it but SHA256SUMS and byte code.

    Triton's Python stub writes byte code beside the models that it imports, whatever it is told.
    """
    files = sorted(path for path in folder.rglob("*") if path.is_file() and _counts(path.relative_to(folder)))
    return {path.relative_to(folder).as_posix(): sha256_of(path) for path in files}


def write_checksums(folder: Path) -> str:
    """Write SHA256SUMS into the folder and return its own SHA-256: the digest of the whole content."""
    lines = [f"{digest}  {name}\n" for name, digest in list_checksums(folder).items()]
    (folder / FILE_NAME).write_text("".join(lines))
    return sha256_of(folder / FILE_NAME)


def verify_checksums(folder: Path) -> str:
    """Re-hash every file and return the digest of the whole content.

    Raises:
        ChecksumError: SHA256SUMS is missing, or a file is changed, missing or not listed.
    """
    listed = read_checksums(folder)
    found = list_checksums(folder)
    wrong = sorted(name for name in listed.keys() | found.keys() if listed.get(name) != found.get(name))
    if wrong:
        raise ChecksumError(
            f"{folder} is not the release that was placed: {', '.join(wrong[:5])} changed, missing or not listed; "
            "place it again with `python -m export`"
        )
    return sha256_of(folder / FILE_NAME)


def read_checksums(folder: Path) -> dict[str, str]:
    """Return what the folder's SHA256SUMS lists, path → SHA-256, without looking at the files.

    Raises:
        ChecksumError: it is missing.
    """
    path = folder / FILE_NAME
    if not path.is_file():
        raise ChecksumError(f"{folder} has no {FILE_NAME}: it is not a release; make one with `python -m export`")
    lines = (line.partition("  ") for line in path.read_text().splitlines())
    return {name: digest for digest, _, name in lines}


def _counts(relative: Path) -> bool:
    return relative.as_posix() != FILE_NAME and "__pycache__" not in relative.parts
