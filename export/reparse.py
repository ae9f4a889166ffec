"""Read the artefacts of a release again: checksums say that a file is what was placed, not that it can be loaded."""

from pathlib import Path
from typing import Any

from export.errors import PlaceError
from export.formats import FORMATS

# Loading one runs native code that came with it.
_RUN_CODE = ("aoti",)


def reparse(release: Path, provenance: dict[str, Any]) -> list[str]:
    """Load every artefact that this machine's runtimes read, and return their names: `<task>: <format>`.

    Args:
        release: a placed release, whose checksums were found to be right.
        provenance: its own.

    Raises:
        PlaceError: an artefact is missing, or its runtime cannot read it.
    """
    read = []
    for task, made in provenance["tasks"].items():
        for report in made["parity"]:
            name = report["format"]
            if name not in FORMATS or name in _RUN_CODE:
                continue
            path = release / f"{task}_network" / "1" / FORMATS[name].file_name
            try:
                if FORMATS[name].load(path) is not None:
                    read.append(f"{task}: {name}")
            # Whatever a foreign runtime raises about a broken file, the file is what is wrong.
            except Exception as error:
                raise PlaceError(f"{path.name} of {task} cannot be read: {error}; export the task again") from error
    return read
