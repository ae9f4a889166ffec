"""What a distance would be if nothing had drifted: the same distance between samples drawn from all pictures at once.

Whole pictures are drawn, so every statistic of a picture moves with it and what belongs together stays together.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Counts = npt.NDArray[np.float32]
# How often each picture counts in the reference and in the window, [draws, pictures] each → distances, [draws] each.
Distances = Callable[[Counts, Counts], Sequence[npt.NDArray[np.float64]]]
# Elements of one block of draws: bounds the memory whatever the window.
_BLOCK_ELEMENTS = 2_000_000
# Equal splits must count as equal however their sums were rounded.
_ROUNDING = 1e-6


@dataclass(frozen=True)
class Split:
    """Pictures of the reference, then those of the window, and how often such a split is drawn anew.

    Draws are without replacement, a permutation test (Efron and Tibshirani, "An Introduction to the Bootstrap",
    Chapman and Hall (1993), chapter 15): where nothing drifted, each split of the pictures is as likely as the one
    seen, so the p-value is exact for every size of window and every statistic. With `replace` it is the two-sample
    bootstrap of their algorithm 16.1, which is exact for large samples only.

    Attributes:
        reference, window: pictures in each, over 0.
        draws: how often a split is drawn.
        seed: equal ones draw equal splits.
        replace: draw with replacement.
    """

    reference: int
    window: int
    draws: int
    seed: int = 0
    replace: bool = False

    @property
    def pictures(self) -> int:
        """Return how many pictures there are in both."""
        return self.reference + self.window

    def blocks(self) -> Iterator[tuple[Counts, Counts]]:
        """Yield counts for reference and window, float32 [draws of the block, pictures]; the first row is as seen."""
        generator = np.random.default_rng(self.seed)
        seen = np.zeros((1, self.pictures), np.float32)
        seen[:, self.reference :] = 1
        yield 1 - seen, seen
        rows, left = max(1, _BLOCK_ELEMENTS // self.pictures), self.draws
        while left:
            yield self._draw(generator, min(rows, left))
            left -= min(rows, left)

    def _draw(self, generator: np.random.Generator, rows: int) -> tuple[Counts, Counts]:
        if self.replace:
            shares = np.full(self.pictures, 1 / self.pictures)
            both = (generator.multinomial(size, shares, size=rows) for size in (self.reference, self.window))
            reference, window = (counts.astype(np.float32) for counts in both)
            return reference, window
        chosen = np.argpartition(generator.random((rows, self.pictures)), self.window - 1, axis=1)[:, : self.window]
        window = np.zeros((rows, self.pictures), np.float32)
        np.put_along_axis(window, chosen, 1, axis=1)
        return 1 - window, window


@dataclass(frozen=True)
class Null:
    """A distance as seen, and what it is under no drift.

    Attributes:
        score: as seen.
        drawn: float64 [draws], under no drift, ascending.
    """

    score: float
    drawn: npt.NDArray[np.float64]

    @property
    def p_value(self) -> float:
        """Return how often no drift gives such a score or a larger one, over 0 to 1.

        Source: Phipson and Smyth, "Permutation p-values should never be zero", Statistical Applications in Genetics
        and Molecular Biology 9 (2010): (1 + those as large) / (1 + draws).
        """
        as_large = len(self.drawn) - int(np.searchsorted(self.drawn, self._least_equal(), side="left"))
        return (1 + as_large) / (1 + len(self.drawn))

    def threshold(self, level: float) -> float:
        """Return the score above which the p-value is at most `level`, 0–1; infinity where no score has such a one."""
        allowed = int(np.floor(level * (len(self.drawn) + 1) + 1e-9)) - 1
        return float(self.drawn[len(self.drawn) - 1 - allowed]) if 0 <= allowed < len(self.drawn) else float("inf")

    def _least_equal(self) -> float:
        return self.score - _ROUNDING * max(abs(self.score), 1e-3)


def nulls(split: Split, measures: Sequence[Distances]) -> list[Null]:
    """Return each distance of each measure with what no drift gives, all over the same draws."""
    found = [
        [distance for measure in measures for distance in measure(reference, window)]
        for reference, window in split.blocks()
    ]
    columns = [np.concatenate(each) for each in zip(*found, strict=True)]
    return [Null(float(column[0]), np.sort(column[1:])) for column in columns]
