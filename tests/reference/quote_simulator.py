"""The simulated venue on best bid and ask quotes in plain Python: the levels' twin with one level a side, the rest unknown."""

from tests.reference.depth import BUY, SELL
from tests.reference.level_simulator import ReferenceLevelSimulator


class ReferenceQuoteSimulator(ReferenceLevelSimulator):
    def touch(self, side: int) -> int | None:
        best = self.book.depth(side, 1)
        return best[0][0] if best else None

    def quote(self, bid: int, bid_lots: int, ask: int, ask_lots: int) -> None:
        for side, price, lots in ((BUY, bid, bid_lots), (SELL, ask, ask_lots)):
            self.tell(side, price if price > 0 and lots > 0 else None, lots)
        self.crossed()

    def tell(self, side: int, price: int | None, lots: int) -> None:
        old = self.touch(side)
        before = self.book.quantity(side, old) if old is not None else 0
        for order in self.queue(side):
            if price is None or self.is_better(side, order.price, price):
                order.ahead, order.traded = 0, 0
            elif order.price == price and old == price:
                self.change(order, before, lots)
            elif order.price == price:
                order.ahead, order.traded = min(order.ahead, lots), 0
        if old is not None:
            self.book.set(side, old, 0)
        if price is not None:
            self.book.set(side, price, lots)

    def is_better(self, side: int, one: int, other: int) -> bool:
        return one > other if side == BUY else one < other

    def told_ahead(self, side: int, price: int) -> int:
        touch = self.touch(side)
        return -1 if touch is not None and self.is_better(side, touch, price) else super().told_ahead(side, price)
