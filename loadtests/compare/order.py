"""Who of a pair is measured first. Balanced, so that what the first of two gains or loses favours nobody."""

import numpy as np

SIDES = ("a", "b")


def first_sides(pairs: int, seed: int) -> tuple[str, ...]:
    """ "a" or "b" for each pair. Each two pairs hold one of either, in random order: nothing periodic keeps step."""
    flips = np.random.default_rng(seed).integers(0, 2, (pairs + 1) // 2)
    order = [SIDES[(flip + place) % 2] for flip in flips for place in range(2)]
    return tuple(order[:pairs])
