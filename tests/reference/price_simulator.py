"""The naive simulated venue where data tell prices and no book: what its bar and its trade twin share, read from _core/by_price.

What an order of ours may do is that of the venue by orders. Here stands what differs: those that wait for the next price are a
list of their own, and what a price gives to them and to limits.
"""

from fractions import Fraction
from math import ceil, floor
from typing import Any

import numpy as np

from tests.reference.simulator import FEE_SCALE, Own, ReferenceSimulator, Waiting
from tradebot._core.types import Kind, OrderFlag, Reject, TimeInForce

BUY, SELL = 0, 1
IMMEDIATE = (TimeInForce.IOC, TimeInForce.FOK)


class ReferencePriceSimulator(ReferenceSimulator):
    """`paid` is what a market order pays beyond the price told, in 1e-8 of it."""

    def __init__(self, order_ns: int, answer_ns: int, maker: int, taker: int, paid: int, *more: Any) -> None:
        super().__init__(order_ns, answer_ns, maker, taker, *more)
        self.paid = paid
        self.for_now: list[Own] = []
        self.takers: set[int] = set()
        self.room = 0

    def through(self, side: int, limit: int, price: int) -> bool:
        return price != 0 and (price < limit if side == BUY else price > limit)

    def would_trade(self, side: int, limit: int, lots: int) -> list[tuple[int, int, int]]:
        return [(0, limit, lots)] if self.through(side, limit, self.last) else []

    def fill_crossed(self) -> None:
        """There is no book to cross."""

    def list_of(self, own: Own) -> list[Any]:
        return self.for_now if own in self.for_now else super().list_of(own)

    def cancel(self, command: np.void) -> None:
        for own in self.for_now:
            if own.id == int(command["id"]):
                self.drop(own, 0, cause=int(command["cause"]))
                return
        super().cancel(command)

    def arrive(self, own: Own, reach: int, kind: int, cause: int) -> None:
        self.take_in(own, kind, cause)

    def take_in(self, own: Own, kind: int, cause: int) -> None:
        """An order is refused, or waits for a price, or rests."""
        refused = Kind.ORDER_REJECTED if kind == Kind.ORDER_ACCEPTED else Kind.ORDER_CANCELLED
        if self.possible(own) == 0:
            self.tell(own, refused, Reject.VENUE_REDUCE_ONLY, cause)
            return
        if not own.is_market and own.force == TimeInForce.POST_ONLY and self.would_take(own.side, own.price):
            self.tell(own, refused, Reject.VENUE_POST_ONLY_WOULD_TAKE, cause)
            return
        if kind == Kind.ORDER_ACCEPTED:
            self.tell(own, kind, 0, cause, id2=own.id, display=-1)
        elif kind == Kind.ORDER_AMENDED:
            self.changed(own, cause, 0, -1)
        if own.is_market:
            self.for_now.append(own)
        elif not self.may_pass(own, own.price):
            self.tell(own, Kind.ORDER_CANCELLED, Reject.VENUE_SELF_TRADE, cause)
        elif own.force in IMMEDIATE:
            self.for_now.append(own)
        else:
            self.rest(own)

    def rest(self, own: Own) -> None:
        own.arrived = self.stamp()
        self.takers.discard(own.id)
        if self.through(own.side, own.price, self.last):
            self.takers.add(own.id)
        self.own.append(own)

    def may_pass(self, own: Own, price: int) -> bool:
        """Whether none of ours stands in the way; a guard ends those that do."""
        while self.limit_before_own(own.side, price)[1]:
            if not own.flags & OrderFlag.PROTECTIVE:
                return False
            self.drop(self.queue(1 - own.side)[0], Reject.VENUE_SELF_TRADE)
        return True

    def offer(self, price: int, sent_max: float) -> None:
        """One price to all that wait for one."""
        for own in [one for one in self.for_now if one.sent <= sent_max]:
            self.offer_one(own, price)

    def offer_one(self, own: Own, price: int) -> None:
        if self.possible(own) == 0:
            self.drop(own, Reject.VENUE_REDUCE_ONLY)
            return
        paid = self.price_paid(own.side, price) if own.is_market else own.price
        if own.is_market and not own.triggered and (paid > own.price if own.side == BUY else paid < own.price):
            self.drop(own, Reject.VENUE_NO_LIQUIDITY)
            return
        reaches = own.is_market or self.through(own.side, own.price, price)
        lots = min(self.possible(own), self.room) if reaches else 0
        if lots and not self.may_pass(own, paid):
            self.drop(own, Reject.VENUE_SELF_TRADE)
        elif own.force == TimeInForce.FOK and lots < own.remaining:
            self.drop(own, Reject.VENUE_FILL_OR_KILL_UNFILLED)
        else:
            self.fill(own, paid, lots, price, is_maker=False)
            if own.remaining and not own.is_market:
                self.drop(own, Reject.VENUE_NO_LIQUIDITY)

    def price_paid(self, side: int, price: int) -> int:
        worse = ceil(Fraction(price * self.paid, FEE_SCALE))
        return price + worse if side == BUY else max(price - worse, 1)

    def fill_limits(self, side: int, price: int, sent_max: float, guard_sent_max: float) -> None:
        for own in self.queue(side):
            if self.room <= 0 or not self.through(side, own.price, price):
                return
            if own.sent > (guard_sent_max if own.parent else sent_max):
                continue
            if self.possible(own) == 0:
                self.drop(own, Reject.VENUE_REDUCE_ONLY)
            else:
                self.fill(own, own.price, min(self.possible(own), self.room), own.price, own.id not in self.takers)

    def fill(self, own: Own, paid: int, lots: int, middle: int, is_maker: bool) -> None:
        if not lots:
            return
        self.room -= lots
        own.remaining -= lots
        if not own.remaining:
            self.list_of(own).remove(own)
        self.middle2 = 2 * middle
        self.answer_fill(own, paid, lots, own.remaining, 0, 0 if is_maker else None)

    def ahead(self, own: Own) -> int:
        """Nothing is told of it."""
        return 0

    def watching(self) -> list[Waiting]:
        """Those whose trigger looks at prices."""
        return [one for one in self.waiting if not one.fired and not one.flags & OrderFlag.BY_MARK]


def share(volume: int, participation: int) -> int:
    """Whole lots of a volume, rounded down."""
    return floor(Fraction(volume * participation, FEE_SCALE))
