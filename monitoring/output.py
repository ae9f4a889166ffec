"""Files that are whole or not there."""

from pathlib import Path

from monitoring.errors import OutputError


def prepare_folder(folder: Path, names: tuple[str, ...] = ()) -> None:
    """Make the folder and remove former results of those names: they must not pass for new ones. Raises OutputError."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name in names:
            (folder / name).unlink(missing_ok=True)
        probe = folder / ".writable"
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise OutputError(f"{folder} cannot be written ({error.strerror}): give --out another folder.") from None


def write_whole(target: Path, content: str | bytes, *, private: bool = False) -> None:
    """Write a file so that a reader sees the whole of it or its former self; a private one is its owner's alone.

    What is no UTF-8, such as names of files may have, becomes a question mark. Raises OutputError.
    """
    unfinished = target.with_name(f".{target.name}.unfinished")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        unfinished.unlink(missing_ok=True)
        unfinished.touch(0o600 if private else 0o666)
        unfinished.write_bytes(content.encode(errors="replace") if isinstance(content, str) else content)
        unfinished.replace(target)
    except OSError as error:
        raise OutputError(f"{target} cannot be written ({error.strerror}): name another place.") from None
    finally:
        unfinished.unlink(missing_ok=True)
