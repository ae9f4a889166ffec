"""Where the command writes an image's results: names that cannot collide, files that are whole or absent.

A result says of itself what it was made from, so that a later run can tell whether it is still true.
"""

import os
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from fovea_client.cli.images import Named
from fovea_client.errors import FoveaError, OutputError
from fovea_client.png import encode_png, read_png_text
from fovea_client.segmentation import Segmentation


@dataclass(frozen=True, slots=True)
class Outputs:
    """One input image and the two files that its segmentation becomes: PNG, or GeoTIFF where it is cut into tiles."""

    image: Path
    mask: Path
    probability: Path

    def write(self, segmentation: Segmentation) -> None:
        """Write both files as PNG, 8-bit grey, replacing older ones; raises OutputError.

        A binary mask is 0 and 255, to be seen; a mask of more classes keeps its class indices.
        """
        binary = len(segmentation.classes) == 2
        mask = np.where(segmentation.mask > 0, np.uint8(255), np.uint8(0)) if binary else segmentation.mask
        origin = origin_of(self.image, segmentation.task)
        self.make_folder()
        _write_whole(self.mask, encode_png(mask, origin))
        _write_whole(self.probability, encode_png(segmentation.probability, origin))

    def make_folder(self) -> None:
        """Make the folder that both files go to; raises OutputError."""
        try:
            self.mask.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise OutputError(f"{self.mask.parent}: cannot be made ({error.strerror})") from error

    def done(self, origin: Mapping[str, str]) -> bool:
        """Whether both files are there, whole to the last byte, and were made from just this."""
        return all(_made_from(path, origin) for path in (self.mask, self.probability))


def plan_outputs(images: Sequence[Named], directory: Path, *, suffix: str = ".png") -> list[Outputs]:
    """The outputs of every image, in order, in a directory that is made and found writable.

    Raises:
        OutputError: two images would write one file, a result would replace an input, or the directory takes no file.
    """
    plans = [_outputs(named, directory, suffix) for named in images]
    _check_distinct(plans)
    _check_inputs_kept(plans)
    _check_writable(directory)
    return plans


def origin_of(image: Path, task: str) -> dict[str, str]:
    """What a result is made from: the task, and which version of the file; empty where there is no such file."""
    try:
        status = image.stat()
    except OSError:
        return {}
    return {"task": task, "source_bytes": str(status.st_size), "source_mtime_ns": str(status.st_mtime_ns)}


def _made_from(path: Path, origin: Mapping[str, str]) -> bool:
    found = _tiff_text(path) if path.suffix == ".tif" else _png_text(path)
    return bool(origin) and found is not None and origin.items() <= found.items()


def _png_text(path: Path) -> dict[str, str] | None:
    try:
        return read_png_text(path.read_bytes())
    except OSError:
        return None


def _tiff_text(path: Path) -> dict[str, str] | None:
    from fovea_client.tiled.raster import read_all_blocks  # noqa: PLC0415 - it needs rasterio

    try:
        return read_all_blocks(path)
    except FoveaError:
        return None


def _outputs(named: Named, directory: Path, suffix: str) -> Outputs:
    folder, stem = directory / named.folder, named.image.stem
    return Outputs(named.image, folder / f"{stem}_mask{suffix}", folder / f"{stem}_probability{suffix}")


def _check_distinct(plans: Sequence[Outputs]) -> None:
    first: dict[Path, Path] = {}
    for plan in plans:
        other = first.setdefault(plan.mask, plan.image)
        if other is not plan.image:
            raise OutputError(
                f"{other} and {plan.image} would both be written to {plan.mask}: rename one, or run them apart with "
                "different --out"
            )


def _check_inputs_kept(plans: Sequence[Outputs]) -> None:
    inputs = {plan.image.resolve() for plan in plans}
    for plan in plans:
        for result in (plan.mask, plan.probability):
            if result.resolve() in inputs:
                raise OutputError(f"the result {result} of {plan.image} would replace an input: choose another --out")


def _check_writable(directory: Path) -> None:
    try:
        directory.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=directory):
            pass
    except OSError as error:
        raise OutputError(f"--out {directory}: cannot be written to ({error.strerror})") from error


def _write_whole(path: Path, data: bytes) -> None:
    # Same directory, hence same file system: the rename is atomic, and a reader never meets half a file.
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        temporary.write_bytes(data)
        temporary.replace(path)
    except OSError as error:
        raise OutputError(f"{path}: cannot be written ({error.strerror})") from error
    finally:
        # A name that is too long fails here too, which says nothing new.
        with suppress(OSError):
            temporary.unlink()
