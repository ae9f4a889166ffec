"""Which pictures of a window are the strangest, and in what."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from monitoring.pictures import Figures
from tasks.statistics import INPUT_STATISTICS

Values = npt.NDArray[np.float64]
# So that the median distance to the median has the size of a standard deviation.
_TO_DEVIATION = 0.6745
_NEIGHBOURS = 5


@dataclass(frozen=True)
class Strange:
    """A picture: its place in the window, how strange it is in its strangest respect, and which that is.

    `deviation` counts in spreads of the reference, with its sign; of the embedding it has none.
    """

    index: int
    statistic: str
    deviation: float


def strangest(reference: Figures, window: Figures, count: int) -> list[Strange]:
    """Return the `count` strangest pictures of the window, the strangest first.

    Each statistic counts by its modified z-score (Iglewicz and Hoaglin, "How to detect and handle outliers", ASQC
    (1993)), the embedding by the distance to its fifth nearest neighbour in the reference (Ramaswamy et al.,
    "Efficient algorithms for mining outliers from large data sets", SIGMOD 2000), made a z-score by the same distances
    among the reference's own pictures.
    """
    near, own = _neighbour_distances(reference.embedding, window.embedding)
    names = (*INPUT_STATISTICS, "embedding")
    scores = [modified_z(*pair) for pair in zip(reference.input.T, window.input.T, strict=True)]
    table = np.stack([*scores, np.maximum(modified_z(own, near), 0.0)])
    which = np.abs(table).argmax(axis=0)
    furthest = table[which, np.arange(len(window))]
    order = np.argsort(-np.abs(furthest), kind="stable")[:count]
    return [Strange(int(index), names[which[index]], float(furthest[index])) for index in order]


def modified_z(reference: Values, values: Values) -> Values:
    """Return 0.6745 (x - median) / median distance to the median; 0 where the reference does not vary.

    Where over half of the reference is one value, its mean distance to the median stands in (ibid.).
    """
    median = np.median(reference)
    apart = np.abs(reference - median)
    spread = np.median(apart) / _TO_DEVIATION or 1.253314 * apart.mean()
    return np.asarray((values - median) / spread if spread > 0 else np.zeros(values.shape))


def _neighbour_distances(reference: npt.NDArray[np.float32], window: npt.NDArray[np.float32]) -> tuple[Values, Values]:
    """Return the distance of each picture to its fifth nearest in the reference: of the window, of the reference."""
    spread = reference.std(axis=0)
    kept = spread > 0
    scaled = [(each[:, kept] / spread[kept]).astype(np.float64) for each in (reference, window)]
    place = min(_NEIGHBOURS, len(reference) - 1)
    near = np.sort(_distances(scaled[1], scaled[0]), axis=1)[:, place - 1]
    # The nearest of a reference picture is itself.
    own = np.sort(_distances(scaled[0], scaled[0]), axis=1)[:, place]
    return near, own


def _distances(first: Values, second: Values) -> Values:
    squared = (first**2).sum(axis=1)[:, None] + (second**2).sum(axis=1)[None] - 2 * first @ second.T
    return np.asarray(np.sqrt(np.maximum(squared, 0.0)))


def principal_plane(reference: Figures, window: Figures) -> tuple[Values, Values]:
    """Return the embeddings in the two directions in which both together vary most: float64 (pictures, 2) each.

    Source: principal components by the singular value decomposition (Jolliffe, "Principal component analysis",
    Springer (2002)), of dimensions scaled to one standard deviation.
    """
    vectors = np.concatenate([reference.embedding, window.embedding]).astype(np.float64)
    centred = vectors - vectors.mean(axis=0)
    spread = centred.std(axis=0)
    scaled = np.divide(centred, spread, out=np.zeros_like(centred), where=spread > 0)
    _, _, directions = np.linalg.svd(scaled, full_matrices=False)
    plane = scaled @ directions[:2].T
    if plane.shape[1] < 2:
        plane = np.pad(plane, ((0, 0), (0, 2 - plane.shape[1])))
    return plane[: len(reference)], plane[len(reference) :]
