"""Distance of two samples of vectors: the maximum mean discrepancy.

Source: Gretton et al., "A kernel two-sample test", Journal of Machine Learning Research 13 (2012).
"""

from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.floating[Any]]


def gaussian_kernel(vectors: Floats) -> npt.NDArray[np.float32]:
    """Return exp(-d² / 2s²) of each pair, float32 [vectors, vectors]; all 1 where the vectors are equal.

    s is the median distance of two vectors (Gretton et al. 2012, section 8). Each dimension is first divided by its
    standard deviation, so that no channel of a network counts by its scale.

    Args:
        vectors: [vectors, dimensions], both samples one after the other.
    """
    spread = vectors.std(axis=0)
    scaled = np.divide(vectors, spread, out=np.zeros(vectors.shape, np.float64), where=spread > 0)
    squared = (scaled**2).sum(axis=1)
    distance = np.maximum(squared[:, None] + squared[None, :] - 2 * scaled @ scaled.T, 0.0)
    median = float(np.median(distance[np.triu_indices(len(distance), 1)])) if len(distance) > 1 else 0.0
    return np.asarray(np.exp(-distance / (2 * median if median > 0 else 1.0)), np.float32)


def squared_mmd(kernel: Floats, reference: Floats, window: Floats) -> npt.NDArray[np.float64]:
    """Return the squared maximum mean discrepancy, 0 or more: (p - q)ᵀ K (p - q), the biased estimate (equation 5).

    Args:
        kernel: [vectors, vectors], symmetric and positive semidefinite.
        reference, window: [..., vectors], each vector's share of the sample, sums 1.
    """
    apart = (window - reference).astype(np.float32)
    return np.asarray(np.maximum(((apart @ kernel) * apart).sum(axis=-1, dtype=np.float64), 0.0))
