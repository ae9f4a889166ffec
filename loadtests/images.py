"""The encoded files that are sent: from folders, drawn, or a mix of both by weight, in the sizes that users send.

They are read once and never decoded: decoding is the server's work.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from loadtests.errors import NoImagesError

# An array as NumPy writes it is for models that take no image, such as that of a benchmark.
ARRAY_SUFFIX = ".npy"
SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".tif", ".tiff", ".gif", ARRAY_SUFFIX})
# Enough variety to defeat a cache, few enough to keep in memory.
MAX_IMAGES = 256


@dataclass(frozen=True)
class ImageSource:
    """One `--images` word: a folder, or `synthetic:…` (see `drawing`), and its share among the sources."""

    text: str
    weight: float

    @classmethod
    def parse(cls, word: str) -> "ImageSource":
        """Read `DIR`, `DIR@WEIGHT`, `synthetic:N…` or `synthetic:N…@WEIGHT`. Raises NoImagesError for a bad weight."""
        text, at, weight = word.rpartition("@")
        if not at or Path(word).exists():
            return cls(word, 1.0)
        try:
            number = float(weight)
        except ValueError:
            return cls(word, 1.0)
        if not 0 < number < float("inf"):
            raise NoImagesError(f"--images {word}: the weight after @ must be a number over 0.")
        return cls(text, number)


@dataclass(frozen=True)
class ImageSet:
    """The image files of a run, by number, and how often each source is drawn from.

    Attributes:
        paths: the files; those of one source stand together.
        counts: how many of them each source has.
        weights: each source's share; any positive numbers.
    """

    paths: tuple[Path, ...]
    counts: tuple[int, ...]
    weights: tuple[float, ...]

    def sequence(self, count: int, seed: int) -> NDArray[np.int32]:
        """Which image each of `count` requests sends: int32 [count].

        The source is random by weight, as users are; within a source every image comes in turn, so that each is sent
        equally often. The same arguments give the same sequence.
        """
        shares = np.array(self.weights) / sum(self.weights)
        source = np.random.default_rng((seed, 1)).choice(len(self.counts), size=count, p=shares)
        first = np.cumsum((0, *self.counts[:-1]))
        sequence = np.empty(count, np.int32)
        for number, images in enumerate(self.counts):
            of_source = np.flatnonzero(source == number)
            sequence[of_source] = first[number] + np.arange(of_source.size) % images
        return sequence


def image_set(words: Sequence[str]) -> ImageSet:
    """The images of the folders that `--images` words name; together at most MAX_IMAGES. Raises NoImagesError."""
    if not words:
        raise NoImagesError("there is nothing to send: give --images a folder of encoded images.")
    sources = [ImageSource.parse(word) for word in words]
    found = [_in_folder(Path(source.text))[: max(1, MAX_IMAGES // len(sources))] for source in sources]
    paths = tuple(path for of_source in found for path in of_source)
    return ImageSet(paths, tuple(len(each) for each in found), tuple(source.weight for source in sources))


def _in_folder(folder: Path) -> list[Path]:
    if not folder.is_dir():
        raise NoImagesError(f"{folder} is no folder: give --images a folder of encoded images.")
    found = sorted(path for path in folder.iterdir() if path.suffix.lower() in SUFFIXES and path.is_file())
    if not found:
        raise NoImagesError(
            f"{folder} holds no image ({', '.join(sorted(SUFFIXES))}): give --images a folder that does."
        )
    return found


def read_payload(path: Path) -> NDArray[Any]:
    """One encoded file as a BYTES tensor: shape [1], dtype object, the element of type bytes; a .npy as its array.

    Raises NoImagesError when the file cannot be read.
    """
    try:
        if path.suffix.lower() == ARRAY_SUFFIX:
            # Not np.load, which takes a zip or a pickle for the array that the name promises.
            with path.open("rb") as file:
                array: NDArray[Any] = np.lib.format.read_array(file, allow_pickle=False)  # type: ignore[no-untyped-call]
                return array
        return np.array([path.read_bytes()], dtype=np.object_)
    except (OSError, ValueError) as error:
        raise NoImagesError(f"{path} cannot be read ({error}): take it out of the folder of --images.") from None
