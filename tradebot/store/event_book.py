"""The book behind depth events that clear: which levels a clear takes away, and whether a snapshot is whole.

A clear names a side and a price: bids from the best down to it, or asks from the best up to it, are gone; one
without a side takes both. Our records have no such thing, so the levels that stood there must be known. Runs
are events of clearing and of snapshots with the same two times; what stands between runs only sets levels.
"""

from collections.abc import Iterator
from decimal import Decimal
from itertools import pairwise
from math import isfinite
from typing import Final

import numpy as np
import numpy.typing as npt

from tradebot._core.types import RECORD_DTYPE, Flag, Kind
from tradebot.store.batches import Records

DEPTH: Final = 1
DEPTH_CLEAR: Final = 3
DEPTH_SNAPSHOT: Final = 4

EVENT: Final = np.dtype(
    [
        ("time_ns", "<i8"),
        ("venue_ns", "<i8"),
        ("price", "<i8"),
        ("quantity", "<i8"),
        ("line", "<i8"),
        ("kind", "u1"),
        ("side", "i1"),  # 0 bid or buy, 1 ask or sell, -1 both
    ]
)

_TICKS_MAX: Final = 1 << 60
_SELL, _SNAPSHOT, _BEGIN, _LAST = (int(flag) for flag in (Flag.SELL, Flag.SNAPSHOT, Flag.BEGIN, Flag.LAST))

Events = npt.NDArray[np.void]
Level = tuple[int, int]  # side, price in ticks


def run_start(events: Events) -> int:
    """Where the run that the last events are part of begins; the end where they are part of none."""
    starts = _run_starts(events)
    return int(np.flatnonzero(starts)[-1]) if len(events) and _is_run(events)[-1] else len(events)


class EventBook:
    """The levels that stand."""

    def __init__(self) -> None:
        self._levels: dict[Level, int] = {}

    @staticmethod
    def limit(price: float, side: int, tick: Decimal) -> int:
        """The last tick that a clear takes: the nearest to its price, or the end of the side."""
        if isfinite(price) and abs(price) < _TICKS_MAX * float(tick):
            return round(price / float(tick))
        return _TICKS_MAX if side == 1 else -_TICKS_MAX

    @staticmethod
    def split(events: Events) -> Iterator[tuple[bool, Events]]:
        """Runs, and what stands between them."""
        is_run = _is_run(events)
        edges = [*np.flatnonzero(_run_starts(events)).tolist(), len(events)]
        for start, end in pairwise(edges):
            yield bool(is_run[start]), events[start:end]

    def apply(self, events: Events) -> None:
        """Set levels; of each the last quantity counts."""
        depth = events[events["kind"] == DEPTH][::-1]
        for side in (0, 1):
            part = depth[depth["side"] == side]
            prices, places = np.unique(part["price"], return_index=True)
            for price, quantity in zip(prices.tolist(), part["quantity"][places].tolist(), strict=True):
                self._set((side, price), quantity)

    def apply_run(self, events: Events) -> Records:
        """The one message that a run is; empty where it changes nothing."""
        before, told = dict(self._levels), dict[Level, int]()
        for kind, side, price, quantity in events[["kind", "side", "price", "quantity"]].tolist():
            if kind == DEPTH_CLEAR:
                self._clear(side, price)
                told = {level: lots for level, lots in told.items() if level in self._levels}
            else:
                told[side, price] = quantity
                self._set((side, price), quantity)
        is_whole = bool(self._levels) and self._levels.keys() <= told.keys()
        gone = {level: 0 for level in sorted(before) if level not in self._levels and level not in told}
        standing = {level: lots for level, lots in told.items() if lots}
        return _message(events[0], standing if is_whole else gone | told, is_whole)

    def _set(self, level: Level, quantity: int) -> None:
        if quantity:
            self._levels[level] = quantity
        else:
            self._levels.pop(level, None)

    def _clear(self, side: int, limit: int) -> None:
        for level in list(self._levels):
            if side == -1 or (side == level[0] and (level[1] <= limit if side else level[1] >= limit)):
                del self._levels[level]


def _is_run(events: Events) -> npt.NDArray[np.bool_]:
    is_run: npt.NDArray[np.bool_] = np.isin(events["kind"], (DEPTH_CLEAR, DEPTH_SNAPSHOT))
    return is_run


def _run_starts(events: Events) -> npt.NDArray[np.bool_]:
    """Where a run begins, or what stands behind one."""
    is_run = _is_run(events)
    starts = np.ones(len(events), np.bool_)
    is_later = np.zeros(len(events), np.bool_)
    for name in ("time_ns", "venue_ns"):
        is_later[1:] |= events[name][1:] != events[name][:-1]
    starts[1:] = (is_run[1:] != is_run[:-1]) | (is_run & is_later)[1:]
    return starts


def _message(first: np.void, levels: dict[Level, int], is_whole: bool) -> Records:
    records = np.zeros(len(levels), RECORD_DTYPE)
    if not levels:
        return records
    sides, prices = zip(*levels, strict=True)
    records["time_ns"], records["venue_ns"] = first["time_ns"], first["venue_ns"]
    records["price"], records["quantity"] = prices, list(levels.values())
    records["kind"] = int(Kind.L2_LEVEL)
    records["flags"] = np.where(np.array(sides) > 0, _SELL, 0) | (_SNAPSHOT if is_whole else 0)
    records["flags"][0] |= _BEGIN if is_whole else 0
    records["flags"][-1] |= _LAST
    return records
