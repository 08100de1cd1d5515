"""Books and quotes that cross: a bid at or above an ask, at the end of a venue message.

Both books are built along the stream. Inside a message the sides of a price-level book may cross, so it is looked at where
the message ends. An order-by-order book cannot cross, for what crosses is parked there; what it has instead are
events that name an order it does not hold. The middle prices of the books and quotes are kept for one batch, because
outliers are sought among them too.
"""

import numpy as np
import numpy.typing as npt

from tradebot._core.book import L3Book
from tradebot._core.depth import L2Book
from tradebot._core.types import Flag, Kind
from tradebot.engine.ports import Records

Integers = npt.NDArray[np.int64]
Series = tuple[Integers, Integers]  # (time_ns, bid + ask in ticks), both sides there


class Crossings:
    """The books of one instrument, along a stream."""

    def __init__(self) -> None:
        self.crossed = 0
        self._levels, self._orders = L2Book(), L3Book()
        self._unknown_before = 0

    def forget(self) -> None:
        """Another recording begins: its books start empty."""
        self._levels.clear()
        self._orders.clear()

    def add(self, records: Records) -> dict[str, Series]:
        """Apply rows of one day; the middle prices of each of its books and of its quotes."""
        times = records["time_ns"]
        found = {}
        for source, book in (("l3", self._orders), ("l2", self._levels)):
            tops = book.apply_bbo(records)
            found[source] = self._judge(times[tops["row"]], tops["bid"], tops["ask"])
        quotes = np.flatnonzero((records["kind"] == Kind.QUOTE) & (records["flags"] & Flag.VOID == 0))
        asks = records["id"][quotes].astype(np.int64)
        found["quote"] = self._judge(times[quotes], records["price"][quotes], asks)
        return found

    def _judge(self, times: Integers, bids: Integers, asks: Integers) -> Series:
        both = (bids != 0) & (asks != 0)
        self.crossed += int((both & (bids >= asks)).sum())
        return times[both], (bids + asks)[both]

    def take_day(self) -> tuple[int, int]:
        """(crossed ends, events of unknown orders) since the last call; the books stay."""
        crossed, self.crossed = self.crossed, 0
        unknown = self._orders.unknown_count
        self._unknown_before, unknown = unknown, unknown - self._unknown_before
        return crossed, unknown
