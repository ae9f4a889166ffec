"""How far two samples lie apart: pure functions, each with its source, over the last axis and any axes before it."""

from monitoring.distances.binned import (
    chi_square,
    jensen_shannon,
    kullback_leibler,
    population_stability_index,
    smoothed_shares,
)
from monitoring.distances.continuous import Steps, kolmogorov_smirnov, steps, wasserstein
from monitoring.distances.embedding import gaussian_kernel, squared_mmd

__all__ = [
    "Steps",
    "chi_square",
    "gaussian_kernel",
    "jensen_shannon",
    "kolmogorov_smirnov",
    "kullback_leibler",
    "population_stability_index",
    "smoothed_shares",
    "squared_mmd",
    "steps",
    "wasserstein",
]
