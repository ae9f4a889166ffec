"""Where the command writes an image's results: names that cannot collide, files that are whole or absent."""

import os
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from fovea_client.errors import OutputError
from fovea_client.png import encode_png
from fovea_client.segmentation import Segmentation


@dataclass(frozen=True, slots=True)
class Outputs:
    """One input image and the two PNG files that its segmentation becomes."""

    image: Path
    mask: Path
    probability: Path

    def write(self, segmentation: Segmentation) -> None:
        """Write both files, 8-bit grey, replacing older ones; raises OutputError.

        A binary mask is 0 and 255, to be seen; a mask of more classes keeps its class indices.
        """
        binary = len(segmentation.classes) == 2
        mask = np.where(segmentation.mask > 0, np.uint8(255), np.uint8(0)) if binary else segmentation.mask
        _write_whole(self.mask, encode_png(mask))
        _write_whole(self.probability, encode_png(segmentation.probability))


def plan_outputs(images: Sequence[Path], directory: Path) -> list[Outputs]:
    """The outputs of every image, in order, in a directory that is made and found writable.

    Raises:
        OutputError: two images would write one file, a result would replace an input, or the directory takes no file.
    """
    plans = [_outputs(image, directory) for image in images]
    _check_distinct(plans)
    _check_inputs_kept(plans)
    _check_writable(directory)
    return plans


def _outputs(image: Path, directory: Path) -> Outputs:
    return Outputs(image, directory / f"{image.stem}_mask.png", directory / f"{image.stem}_probability.png")


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
        temporary.unlink(missing_ok=True)
