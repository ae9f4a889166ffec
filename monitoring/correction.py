"""Many tests, one false-alarm rate."""

from collections.abc import Sequence

import numpy as np


def holm_levels(p_values: Sequence[float], alpha: float) -> list[float]:
    """Return the level that each p-value is held to, so that any false alarm at all has a probability of `alpha`.

    Source: Holm, "A simple sequentially rejective multiple test procedure", Scandinavian Journal of Statistics 6
    (1979). The smallest of m p-values is held to alpha / m, the next to alpha / (m - 1) and so on; from the first that
    is over its level, all are held to that level. It holds however the tests depend on each other, and they do: KS and
    Wasserstein look at the same figures, brightness moves with all three channels. Benjamini and Hochberg's procedure
    bounds another rate, the share of false ones among the alarms.

    Args:
        p_values: in any order.
        alpha: 0–1.

    Returns:
        levels in the order of the p-values: a test alarms where its p-value is at most its level.
    """
    count = len(p_values)
    level, stopped = 0.0, False
    levels = [0.0] * count
    for rank, index in enumerate(np.argsort(p_values, kind="stable")):
        if not stopped:
            level = alpha / (count - rank)
            stopped = p_values[index] > level
        levels[index] = level
    return levels
