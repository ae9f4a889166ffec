"""Pictures that are in a data set twice, as the same file or as a resized or recompressed copy of it.

A copy on both sides of a split flatters what is measured there; a copy with another label teaches nothing. Copies that
are turned, mirrored or cut out differently are not found.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import asdict, dataclass

import cv2
import numpy as np
import numpy.typing as npt

from tasks import Kind, TaskSpec
from tasks.errors import ImageError
from tasks.imaging import decode, field_of_view, fit, square_around
from training.errors import DataError
from training.samples import Sample

_SIDE_PX = 96
_SURROUNDINGS_PX = 3.0
_RIM_PX = 8
_STRONGEST = 25.0
_HASH_SIDE = 16
# Of 256 bits. Copies of 297 real fundus photographs, shrunk to half and recompressed, differed in 41 at most.
_MOST_BITS = 64
# The highest value of two different retinas among 2.8 million pairs of real photographs was 0.87.
_LOWEST_CORRELATION = 0.9
_ROWS_AT_ONCE = 512


@dataclass(frozen=True)
class Fingerprint:
    """What two copies of a picture have in common.

    Attributes:
        sample: the picture.
        pixels: SHA-256 of the decoded pixels.
        labels: SHA-256 of the mask; of a classification the class index.
        bits: bool (256,), difference hash: whether the detail grows from left to right.
        detail: float32 (9216,), the fine structure without shading and frame; of length 1, or 0 where there is none.
    """

    sample: Sample
    pixels: str
    labels: str
    bits: npt.NDArray[np.bool_]
    detail: npt.NDArray[np.float32]


@dataclass(frozen=True)
class Duplicate:
    """Two pictures that are one.

    Attributes:
        first, second: their names.
        kind: `exact` if every pixel is the same, else `near`.
        correlation: of their detail, -1–1.
        same_subject: whether they are of one subject, so that no split parts them.
        crosses: whether the stored split parts them.
        conflict: whether their labels differ. Of masks only those of exact copies are compared.
    """

    first: str
    second: str
    kind: str
    correlation: float
    same_subject: bool
    crosses: bool
    conflict: bool

    def to_dict(self) -> dict[str, object]:
        """Return the attributes as JSON takes them."""
        return asdict(self) | {"correlation": round(self.correlation, 4)}


def fingerprint(sample: Sample, task: TaskSpec) -> Fingerprint:
    """Read a sample and return its fingerprint.

    Raises:
        DataError: it cannot be read.
    """
    content = sample.read()
    try:
        pixels = decode(content.encoded, task.limits)
    except ImageError as error:
        raise DataError(f"picture {sample.name} cannot be used: {error}") from error
    label = str(sample.label) if content.mask is None else hashlib.sha256(content.mask.tobytes()).hexdigest()
    detail = _detail(pixels, task)
    shape = str(pixels.shape).encode()
    return Fingerprint(
        sample, hashlib.sha256(shape + pixels.tobytes()).hexdigest(), label, _difference_hash(detail), _unit(detail)
    )


def find_duplicates(fingerprints: Sequence[Fingerprint]) -> list[Duplicate]:
    """Return all pairs of copies, sorted by the names of the first and the second.

    The difference hash (Krawetz, "Kind of like that", 2013) proposes pairs; the correlation of their detail decides.
    """
    ordered = sorted(fingerprints, key=lambda item: item.sample.name)
    found = []
    for first, second in _candidates(ordered):
        pair = _compared(ordered[first], ordered[second])
        if pair is not None:
            found.append(pair)
    return found


def to_drop(duplicates: Sequence[Duplicate]) -> set[str]:
    """Return whom to leave out so that no split can part two copies and no copy has two labels.

    Of a contradiction both go: nobody knows which label is right. Else the later name goes.
    """
    contradictory = [pair for pair in duplicates if pair.conflict]
    dropped = {name for pair in contradictory for name in (pair.first, pair.second)}
    for pair in duplicates:
        if not pair.same_subject and not dropped & {pair.first, pair.second}:
            dropped.add(pair.second)
    return dropped


def _candidates(ordered: Sequence[Fingerprint]) -> list[tuple[int, int]]:
    """Pairs of equal pixels, and pairs whose hashes differ in few bits: all against all, some rows at a time."""
    signs = np.array([np.where(item.bits, 1.0, -1.0) for item in ordered], dtype=np.float32).reshape(len(ordered), -1)
    pixels = np.unique([item.pixels for item in ordered], return_inverse=True)[1]
    pairs: list[tuple[int, int]] = []
    for top in range(0, len(ordered), _ROWS_AT_ONCE):
        rows = slice(top, top + _ROWS_AT_ONCE)
        # Signs of 1 and -1: the product counts equal bits minus differing bits.
        differing = (signs.shape[1] - signs[rows] @ signs.T) / 2
        near = (differing <= _MOST_BITS) | (pixels[rows, None] == pixels[None, :])
        first, second = np.nonzero(np.triu(near, k=top + 1))
        pairs.extend(zip((first + top).tolist(), second.tolist(), strict=True))
    return pairs


def _compared(first: Fingerprint, second: Fingerprint) -> Duplicate | None:
    exact = first.pixels == second.pixels
    correlation = 1.0 if exact else float(first.detail @ second.detail)
    if correlation < _LOWEST_CORRELATION:
        return None
    one, other = first.sample, second.sample
    return Duplicate(
        first=one.name,
        second=other.name,
        kind="exact" if exact else "near",
        correlation=correlation,
        same_subject=one.subject == other.subject,
        crosses=(one.fold, bool(one.held_out)) != (other.fold, bool(other.held_out)),
        conflict=first.labels != second.labels and (exact or one.label is not None),
    )


def _detail(pixels: npt.NDArray[np.uint8], task: TaskSpec) -> npt.NDArray[np.float32]:
    """Grey values minus their surroundings, float32 (96, 96), inside the camera's lit disc; land from above has none.

    All retinas share the disc on a black frame and its shading; only what is finer tells one from another.
    """
    whole = task.kind is Kind.SEMANTIC_SEGMENTATION
    view = np.ones(pixels.shape[:2], dtype=np.bool_) if whole else field_of_view(pixels)
    square = square_around(view)
    grey = cv2.cvtColor(fit(pixels, square, _SIDE_PX), cv2.COLOR_RGB2GRAY).astype(np.float32)
    inside = _without_rim(fit(view.astype(np.uint8), square, _SIDE_PX, nearest=True))
    weight = cv2.GaussianBlur(inside, (0, 0), _SURROUNDINGS_PX)
    surroundings = cv2.GaussianBlur(grey * inside, (0, 0), _SURROUNDINGS_PX) / np.maximum(weight, 1e-6)
    # A reflection or the edge of a frame must not outweigh all vessels.
    return np.asarray(np.clip((grey - surroundings) * inside, -_STRONGEST, _STRONGEST), dtype=np.float32)


def _without_rim(view: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
    framed = cv2.copyMakeBorder(view, 1, 1, 1, 1, cv2.BORDER_CONSTANT, value=(0.0,))
    size = 2 * _RIM_PX + 1
    return np.asarray(cv2.erode(framed, np.ones((size, size), np.uint8))[1:-1, 1:-1], dtype=np.float32)


def _difference_hash(detail: npt.NDArray[np.float32]) -> npt.NDArray[np.bool_]:
    small = cv2.resize(detail, (_HASH_SIDE + 1, _HASH_SIDE), interpolation=cv2.INTER_AREA)
    return np.asarray(small[:, 1:] > small[:, :-1], dtype=np.bool_).ravel()


def _unit(detail: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    centred = detail.ravel() - detail.mean()
    length = float(np.linalg.norm(centred))
    return np.asarray(centred / length if length > 1e-3 else np.zeros_like(centred), dtype=np.float32)
