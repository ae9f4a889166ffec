"""Counts of times in buckets of nearly equal relative width: exact to merge, small however long a run lasts.

The layout is the one of HdrHistogram (Tene, hdrhistogram.org): within each power of two 1024 buckets of equal width,
which keeps three significant digits. Averages of percentiles mean nothing; percentiles of merged counts are exact.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

LOWEST_NS, HIGHEST_NS = 1_000, 3_600_000_000_000
_HALF_BITS = 10
_HALF = 1 << _HALF_BITS
_SIZE = (HIGHEST_NS.bit_length() - _HALF_BITS) * _HALF + _HALF


class Histogram:
    """Times in nanoseconds, from a microsecond to an hour; what lies outside counts as the nearest of the two.

    A quantile is off by less than 0.05 % of its value, the largest time is exact.
    """

    def __init__(self) -> None:
        self._counts: NDArray[np.int64] = np.zeros(_SIZE, np.int64)
        self._largest_ns = 0

    def record(self, times_ns: ArrayLike) -> None:
        """Count each of some times in nanoseconds, whole numbers of any shape."""
        times = np.clip(np.asarray(times_ns, np.int64).ravel(), LOWEST_NS, HIGHEST_NS)
        if times.size:
            self._counts += np.bincount(_bucket(times), minlength=_SIZE)
            self._largest_ns = max(self._largest_ns, int(times.max()))

    def merge(self, other: "Histogram") -> None:
        """Count everything that another one counted."""
        self._counts += other._counts
        self._largest_ns = max(self._largest_ns, other._largest_ns)

    @property
    def count(self) -> int:
        """How many times were recorded."""
        return int(self._counts.sum())

    def quantile(self, share: float) -> float | None:
        """The time in nanoseconds that at least `share` (0 to 1) of all did not exceed; None when nothing was counted.

        By nearest rank, as `measurements.quantiles_ms` has it from rows.
        """
        total = self.count
        if not total:
            return None
        # The allowance is for shares such as 0.07, whose hundredfold is 7.000000000000001.
        rank = min(max(int(np.ceil(share * total - 1e-9)), 1), total)
        if rank == total:
            return float(self._largest_ns)
        return _middle_ns(int(np.searchsorted(np.cumsum(self._counts), rank)))

    def to_json(self) -> dict[str, Any]:
        """The counts that are not zero by the number of their bucket, and the largest time."""
        buckets = np.flatnonzero(self._counts)
        return {
            "unit": "ns",
            "buckets_per_power_of_two": _HALF,
            "largest": self._largest_ns,
            "counts": {str(bucket): int(self._counts[bucket]) for bucket in buckets},
        }

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> "Histogram":
        """What `to_json` was made of. Raises ValueError for counts of another layout, or that are none."""
        if document["unit"] != "ns" or document["buckets_per_power_of_two"] != _HALF:
            raise ValueError("the histogram's buckets are not laid out as here")
        result = cls()
        result._largest_ns = int(document["largest"])
        for bucket, count in document["counts"].items():
            if not 0 <= int(bucket) < _SIZE or int(count) < 0:
                raise ValueError(f"the histogram counts {count} in its bucket {bucket}, which cannot be")
            result._counts[int(bucket)] = count
        return result


def _bucket(times_ns: NDArray[np.int64]) -> NDArray[np.int64]:
    # A double holds every time below an hour exactly, so its exponent is the number of bits.
    bits = np.frexp(times_ns.astype(np.float64))[1].astype(np.int64)
    shift = np.maximum(bits - _HALF_BITS - 1, 0)
    bucket: NDArray[np.int64] = shift * _HALF + (times_ns >> shift)
    return bucket


def _middle_ns(bucket: int) -> float:
    shift = max(bucket // _HALF - 1, 0)
    first_ns = (bucket - shift * _HALF) << shift
    return first_ns + ((1 << shift) - 1) / 2
