"""Prices that stand far from those around them: bad prints, not moves.

A price is held against the median of the eleven around it (at the ends of a day: the nearest eleven). A move that stays
moves the median with it and is none; up to five bad prices in a row are found, each one. The yardstick is robust and
local: the median of the moves between neighbouring prices that are not zero, over the block of `BLOCK` prices, at
least a tick. A price more than `FACTOR` times that away is an outlier. All is integers, so the rule has one reading.

Prices come in pieces; what a day's prices give does not depend on how they are cut.
"""

from typing import Final

import numpy as np
import numpy.typing as npt
from numpy.lib.stride_tricks import sliding_window_view

FACTOR: Final = 50
BLOCK: Final = 4096
AROUND: Final = 11

Integers = npt.NDArray[np.int64]


class Spikes:
    """The outliers among one day's prices of one source. A price of 0 is none and is left out."""

    def __init__(self) -> None:
        self.prices = 0
        self.count = 0
        self._held = np.empty((0, 2), np.int64)  # (time_ns, price), from `AROUND` - 1 places before the block
        self._lead = 0  # how many of the held are before the block

    def add(self, times: Integers, prices: Integers) -> Integers:
        """Take prices in; the times of the outliers found so far and not told before."""
        known = prices > 0
        self.prices += int(known.sum())
        self._held = np.concatenate([self._held, np.column_stack([times[known], prices[known]])])
        found = []
        while len(self._held) - self._lead >= BLOCK + AROUND - 1:
            found.append(self._judge(BLOCK))
        return _joined(found)

    def finish(self) -> Integers:
        """The day has ended: the times of the outliers among its last prices."""
        rest = len(self._held) - self._lead
        return self._judge(rest) if rest and len(self._held) >= AROUND else _joined([])

    def _judge(self, rows: int) -> Integers:
        first, last = self._lead, self._lead + rows
        times, prices = self._held[:, 0], self._held[:, 1]
        at = first + _far(prices, first, last)
        self.count += len(at)
        found = times[at]
        kept = max(last - AROUND + 1, 0)
        self._held, self._lead = self._held[kept:], last - kept
        return found


def _far(prices: Integers, first: int, last: int) -> Integers:
    """Which of prices[first:last], from 0, are too far from the median around them."""
    moves = np.abs(np.diff(prices[first:last]))
    moving = moves[moves > 0]
    bound = FACTOR * (int(np.median(moving)) if len(moving) else 1)
    place = np.arange(first, last)
    start = np.clip(place - AROUND // 2, 0, len(prices) - AROUND)
    # No price is farther from a median of its neighbours than the way through them is long, and most ways are short.
    way = np.concatenate([[0], np.cumsum(np.abs(np.diff(prices)))])
    near = np.flatnonzero(way[start + AROUND - 1] - way[start] > bound)
    windows = sliding_window_view(prices, AROUND)[start[near]]
    median = np.partition(windows, AROUND // 2, axis=1)[:, AROUND // 2]
    found: Integers = near[np.abs(prices[place[near]] - median) > bound]
    return found


def _joined(parts: list[Integers]) -> Integers:
    return np.concatenate([np.empty(0, np.int64), *parts])
