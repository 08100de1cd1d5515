"""Records as rows: a tuple a record, in the order of the record's slots, built here for every venue alike.

A venue message of the book is one run of level rows that ends with LAST. A book that is lost, because a message is missing or
a checksum disagrees, is a GAP followed by an empty book snapshot: whoever applies the rows then shows no price until the next
snapshot, and cannot show a wrong one.
"""

from collections.abc import Iterable, Sequence
from typing import Final

import numpy as np
import numpy.typing as npt

from tradebot._core.types import RECORD_DTYPE, Flag, Kind
from tradebot.domain.units import TIME_MAX_NS

Row = tuple[int, int, int, int, int, int, int, int, int, int, int]
Level = tuple[int, int, int]  # SELL or 0, ticks, lots

SELL: Final = int(Flag.SELL)
VOID: Final = int(Flag.VOID)
ID_MAX: Final = (1 << 64) - 1
TIME_MAX: Final = TIME_MAX_NS

_SNAPSHOT: Final = int(Flag.SNAPSHOT)
_BEGIN: Final = int(Flag.BEGIN)
_LAST: Final = int(Flag.LAST)
_LEVEL: Final = int(Kind.L2_LEVEL)
_TRADE: Final = int(Kind.TRADE)
_QUOTE: Final = int(Kind.QUOTE)
_MARK: Final = int(Kind.MARK)
_GAP: Final = int(Kind.GAP)


class RowWriter:
    """Makes rows of one instrument."""

    def __init__(self, instrument: int) -> None:
        self.instrument = instrument

    def levels(self, time_ns: int, venue_ns: int, sequence: int, levels: Sequence[Level], void: bool = False) -> list[Row]:
        """One message of changes; none where it changes nothing."""
        return self._levels(time_ns, venue_ns, sequence, levels, VOID if void else 0)

    def snapshot(self, time_ns: int, venue_ns: int, sequence: int, levels: Sequence[Level], void: bool = False) -> list[Row]:
        """A whole book. An empty one is one row that clears and sets nothing."""
        rows = self._levels(time_ns, venue_ns, sequence, levels or [(0, 0, 0)], _SNAPSHOT | (VOID if void else 0))
        rows[0] = _with_flags(rows[0], _BEGIN)
        return rows

    def lost(self, time_ns: int, venue_ns: int, found: int, expected: int) -> list[Row]:
        """A gap, and the empty book that it leaves."""
        gap = (time_ns, venue_ns, found, 0, 0, expected, 0, self.instrument, _GAP, 0, 0)
        return [gap, *self.snapshot(time_ns, venue_ns, 0, [])]

    def trade(
        self, time_ns: int, venue_ns: int, sequence: int, price: int, quantity: int, flags: int, buyer: int = 0, seller: int = 0
    ) -> Row:
        """`flags`: SELL where the aggressor sold, VOID where the trade is no trade of the book."""
        return (time_ns, venue_ns, sequence, price, quantity, buyer, seller, self.instrument, _TRADE, flags, 0)

    def quote(self, time_ns: int, venue_ns: int, sequence: int, bid: tuple[int, int], ask: tuple[int, int]) -> Row:
        return (time_ns, venue_ns, sequence, *bid, *ask, self.instrument, _QUOTE, 0, 0)

    def mark(self, time_ns: int, venue_ns: int, mark: int, index: int, rate: int, next_ns: int) -> Row:
        return (time_ns, venue_ns, 0, mark, index, rate, next_ns, self.instrument, _MARK, 0, 0)

    def _levels(self, time_ns: int, venue_ns: int, sequence: int, levels: Sequence[Level], flags: int) -> list[Row]:
        rows: list[Row] = [
            (time_ns, venue_ns, sequence, price, quantity, 0, 0, self.instrument, _LEVEL, side | flags, 0)
            for side, price, quantity in levels
        ]
        if rows:
            rows[-1] = _with_flags(rows[-1], _LAST)
        return rows


def _with_flags(row: Row, flags: int) -> Row:
    return (*row[:9], row[9] | flags, row[10])


def to_records(rows: Iterable[Row]) -> npt.NDArray[np.void]:
    """The rows as an array of records."""
    return np.array(list(rows), dtype=RECORD_DTYPE)
