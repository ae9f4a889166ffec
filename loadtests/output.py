"""Files that are whole or not there, in a folder that holds nothing of a former run."""

from collections.abc import Iterable
from pathlib import Path

from loadtests.errors import OutputNotWritableError


def prepare_folder(folder: Path, names: Iterable[str]) -> None:
    """Make the folder and remove the reports of those names: a former run's must not pass for this one's.

    Raises OutputNotWritableError.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name in names:
            (folder / name).unlink(missing_ok=True)
        probe = folder / ".writable"
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise OutputNotWritableError(
            f"{folder} cannot be written ({error.strerror}): give --out another folder."
        ) from None


def write_whole(target: Path, text: str) -> None:
    """Write a file so that a reader sees the whole of it or its former self. Raises OutputNotWritableError."""
    unfinished = target.with_name(f".{target.name}.unfinished")
    try:
        unfinished.write_text(text, encoding="utf-8")
        unfinished.replace(target)
    except OSError as error:
        raise OutputNotWritableError(
            f"{target} cannot be written ({error.strerror}): give --out another folder."
        ) from None
