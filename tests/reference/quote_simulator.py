"""The simulated venue on best bid and ask quotes in plain Python: the levels' twin with one level a side, the rest unknown."""

import numpy as np

from tests.reference.depth import BUY, SELL
from tests.reference.level_simulator import ReferenceLevelSimulator
from tradebot._core.types import Flag, Kind


class ReferenceQuoteSimulator(ReferenceLevelSimulator):
    def touch(self, side: int) -> int | None:
        return self.book.bid if side == BUY else self.book.ask

    def event(self, record: np.void, kind: int, flags: int) -> None:
        if kind == Kind.TRADE:
            self.traded(1 - (flags & Flag.SELL), int(record["price"]), int(record["quantity"]))
        elif kind == Kind.QUOTE:
            self.touched(BUY, int(record["price"]), int(record["quantity"]))
            self.touched(SELL, int(record["id"]), int(record["id2"]))
            self.fill_crossed()

    def touched(self, side: int, price: int, lots: int) -> None:
        """The best of a side; there is none where price or lots are 0."""
        is_none, old = price <= 0 or lots <= 0, self.touch(side)
        before = self.book.quantity(side, old) if old is not None else 0
        for own in self.queue(side):
            standing = self.standings[own.id]
            if is_none or self.is_better(side, own.price, price):
                standing.ahead, standing.traded = 0, 0
            elif own.price == price and old == price:
                self.change(standing, before, lots)
            elif own.price == price:
                standing.ahead, standing.traded = min(standing.ahead, lots), 0
        if old is not None:
            self.book.set(side, old, 0)
        if not is_none:
            self.book.set(side, price, lots)

    def is_better(self, side: int, one: int, other: int) -> bool:
        return one > other if side == BUY else one < other

    def told_ahead(self, side: int, price: int) -> int:
        touch = self.touch(side)
        return -1 if touch is not None and self.is_better(side, touch, price) else super().told_ahead(side, price)
