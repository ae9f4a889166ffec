"""Distances of two histograms over the same bins: counts or shares, on the last axis."""

from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.floating[Any]]


def smoothed_shares(counts: Floats) -> npt.NDArray[np.float64]:
    """Return the share of each bin, over 0 even where nothing was counted: float64, counts' shape, sums to 1.

    Source: half a count is added to each bin (Krichevsky and Trofimov, "The performance of universal encoding", IEEE
    Transactions on Information Theory 27 (1981)). The tiny constant that others put in empty bins makes one empty bin
    of a small window outweigh all others in a logarithm.

    Args:
        counts: [..., bins], not negative.
    """
    raised = counts.astype(np.float64) + 0.5
    return np.asarray(raised / raised.sum(axis=-1, keepdims=True))


def population_stability_index(reference: Floats, window: Floats) -> npt.NDArray[np.float64]:
    """Return Σ (q - p) ln (q / p), 0 or more, in nats; p, q are shares over 0, [..., bins].

    Source: Jeffreys, "An invariant form for the prior probability in estimation problems", Proceedings of the Royal
    Society A 186 (1946), known to credit scoring as the PSI (Yurdakul and Naranjo, "Statistical properties of the
    population stability index", Journal of Risk Model Validation 14 (2020), who show that under no drift it spreads as
    (1/n + 1/N) times a chi-square variable: no fixed limit fits every window).
    """
    return np.asarray(((window - reference) * np.log(window / reference)).sum(axis=-1), np.float64)


def kullback_leibler(reference: Floats, window: Floats) -> npt.NDArray[np.float64]:
    """Return Σ q ln (q / p), the window's divergence from the reference, 0 or more, in nats; shares over 0.

    Source: Kullback and Leibler, "On information and sufficiency", Annals of Mathematical Statistics 22 (1951).
    """
    return np.asarray((window * np.log(window / reference)).sum(axis=-1), np.float64)


def jensen_shannon(reference: Floats, window: Floats) -> npt.NDArray[np.float64]:
    """Return the mean divergence of both from their middle, 0–ln 2, in nats; shares over 0.

    Source: Lin, "Divergence measures based on the Shannon entropy", IEEE Transactions on Information Theory 37 (1991).
    """
    middle = (reference + window) / 2
    return (kullback_leibler(middle, reference) + kullback_leibler(middle, window)) / 2


def chi_square(reference: Floats, window: Floats) -> npt.NDArray[np.float64]:
    """Return Pearson's statistic of two rows of counts, 0 or more; bins that are empty in both do not count.

    Source: Pearson, "On the criterion that a given system of deviations …", Philosophical Magazine 50 (1900); for two
    samples Σ (√(n/N) p - √(N/n) q)² / (p + q), as in Press et al., "Numerical Recipes", section 14.3 (2007).

    Args:
        reference, window: counts, [..., bins], each with a sum over 0.
    """
    ratio = np.sqrt(window.sum(axis=-1, keepdims=True) / reference.sum(axis=-1, keepdims=True))
    both = reference + window
    apart = (ratio * reference - window / ratio) ** 2
    return np.asarray(np.divide(apart, both, out=np.zeros_like(apart), where=both > 0).sum(axis=-1), np.float64)
