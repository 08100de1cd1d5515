"""How long things took, counted in buckets whose width grows with the value, so that memory never grows.

Each doubling has 32 buckets, so a quantile is right to within 1.6% whatever the scale: nanoseconds and days sit in one
histogram. The smallest and the largest value are kept exactly. Negative values are counted in buckets of their own,
for clocks disagree and a lag may be negative.
"""

from typing import Final

import numpy as np
import numpy.typing as npt

_PARTS: Final = 32  # buckets of each doubling
_BUCKETS: Final = _PARTS * 65  # of one sign; bucket 0 holds the zeros

Integers = npt.NDArray[np.int64]


class Histogram:
    """Counts of 64-bit integers."""

    def __init__(self) -> None:
        self.count = 0
        self.smallest = self.largest = 0
        self._counts = np.zeros(2 * _BUCKETS, np.int64)  # negative values downwards from the middle

    def add(self, values: Integers) -> None:
        """Count each value."""
        if not len(values):
            return
        low, high = int(values.min()), int(values.max())
        self.smallest = min(self.smallest, low) if self.count else low
        self.largest = max(self.largest, high) if self.count else high
        self.count += len(values)
        self._counts += np.bincount(_buckets(values), minlength=2 * _BUCKETS)

    def quantile(self, share: float) -> int:
        """The value that `share` of all lie at or below, by the middle of its bucket. 0 where nothing was counted.

        Its place is rounded down, so that of two values or more the largest is never its own yardstick.
        """
        if not self.count:
            return 0
        place = int(share * (self.count - 1))
        bucket = int(np.searchsorted(np.cumsum(self._counts), place, side="right"))
        return min(max(_middle(bucket - _BUCKETS), self.smallest), self.largest)


def _buckets(values: Integers) -> npt.NDArray[np.int64]:
    mantissa, exponent = np.frexp(np.abs(values.astype(np.float64)))
    bucket = ((mantissa - 0.5) * 2 * _PARTS).astype(np.int64) + exponent * _PARTS
    bucket[values == 0] = 0
    found: Integers = np.where(values < 0, -bucket, bucket) + _BUCKETS
    return found


def _middle(bucket: int) -> int:
    exponent, part = divmod(abs(bucket), _PARTS)
    middle = round((0.5 + (part + 0.5) / (2 * _PARTS)) * 2.0**exponent) if bucket else 0
    return -middle if bucket < 0 else middle
