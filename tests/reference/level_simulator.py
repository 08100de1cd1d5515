"""The naive simulated venue on price levels: the rules at the head of _core/by_levels, over the naive L2 book.

What an order of ours may do is that of the venue by orders; here stands what differs: where it waits in a level of which only the
total is told, and what of a trade or of a crossing comes to it.
"""

import math
from collections.abc import Callable

import numpy as np

from tests.reference.depth import BUY, SELL, ReferenceDepth
from tests.reference.simulator import Own, ReferenceSimulator
from tradebot._core.types import Flag, Kind, Reject

Chance = Callable[[float, float], float]


class Standing:
    """Lots ahead of an order of ours, and those that traded at its price since the level's total was told."""

    def __init__(self, ahead: float) -> None:
        self.ahead, self.traded = ahead, 0


def risk_averse(ahead: float, behind: float) -> float:
    """All of a decrease was behind us."""
    return 1.0


def by_weight(weight: Callable[[float], float]) -> Chance:
    def chance(ahead: float, behind: float) -> float:
        mine, other = (weight(lots) if lots > 0 else 0.0 for lots in (behind, ahead))
        return mine / (mine + other) if mine + other > 0 else 1.0

    return chance


def power(exponent: int) -> Chance:
    return by_weight(lambda lots: math.prod([lots] * exponent, start=1.0))


class ReferenceLevelSimulator(ReferenceSimulator):
    """`told` is the L2 book, less what we took since each level was told. Instrument and money as in the one by orders."""

    def __init__(self, chance: Chance, whole: bool, *settings: object, **more: object) -> None:
        super().__init__(*settings, **more)  # type: ignore[arg-type]
        self.chance, self.whole = chance, whole
        self.book: ReferenceDepth = ReferenceDepth()  # type: ignore[assignment]
        self.standings: dict[int, Standing] = {}
        self.stamps = 0

    def stamp(self) -> int:
        self.stamps += 1
        return self.stamps

    def event(self, record: np.void, kind: int, flags: int) -> None:
        side, price, lots = flags & Flag.SELL, int(record["price"]), int(record["quantity"])
        if kind == Kind.TRADE:
            self.traded(1 - side, price, lots)
        elif kind == Kind.L2_LEVEL:
            self.level(side, price, lots, flags)

    def level(self, side: int, price: int, lots: int, flags: int) -> None:
        before = 0 if flags & Flag.BEGIN else self.book.quantity(side, price)
        if flags & Flag.BEGIN:
            self.book.clear()
        self.book.set(side, price, lots)
        for own in self.own:
            if not flags & Flag.SNAPSHOT and (own.side, own.price) == (side, price):
                self.change(self.standings[own.id], before, max(lots, 0))
        if flags & Flag.LAST:
            for own in self.own if flags & Flag.SNAPSHOT else []:
                shown, standing = self.book.quantity(own.side, own.price), self.standings[own.id]
                standing.traded, standing.ahead = 0, min(standing.ahead, shown)
            self.fill_crossed()

    def change(self, standing: Standing, before: int, after: int) -> None:
        decrease = before - after - standing.traded
        standing.traded = 0
        if decrease > 0 and self.chance is not risk_averse:
            behind = before - standing.ahead
            behind_gone = self.chance(standing.ahead, behind) * decrease
            standing.ahead -= (1.0 - self.chance(standing.ahead, behind)) * decrease
            standing.ahead += min(behind - behind_gone, 0.0)
            standing.ahead = max(standing.ahead, 0.0)
        standing.ahead = min(standing.ahead, after)

    def traded(self, side: int, price: int, lots: int) -> None:
        """So many lots of a side traded: ours at better prices had come first."""
        left = lots
        for own in self.queue(side):
            if own.price < price if side == BUY else own.price > price:
                return
            if self.possible(own) == 0:
                self.drop(own, Reject.VENUE_REDUCE_ONLY)
                continue
            ahead, reached = self.reached(own, lots) if own.price == price else (0, own.remaining)
            reached = (own.remaining if reached > 0 else 0) if self.whole else min(reached, left)
            reached = min(reached, self.possible(own))
            left -= reached
            if reached > 0:
                self.fill_at(own, reached, ahead)

    def reached(self, own: Own, lots: int) -> tuple[int, int]:
        """Lots that were ahead of an order at the price of a trade, and how much of that trade gets to it."""
        standing = self.standings[own.id]
        ahead = int(standing.ahead + 0.5)
        standing.traded += lots
        standing.ahead -= lots
        reached = int(-standing.ahead + 0.5) if standing.ahead < 0 else 0
        standing.ahead = 0.0 if reached > 0 else standing.ahead
        return ahead, min(reached, own.remaining)

    def fill_at(self, own: Own, lots: int, ahead: int) -> None:
        own.remaining -= lots
        if own.remaining == 0:
            self.own.remove(own)
        self.answer_fill(own, own.price, lots, own.remaining, 0, ahead)

    def fill_crossed(self) -> None:
        """The other side stands at our price or beyond: it fills ours at our price with what is there."""
        for side in (BUY, SELL):
            while self.queue(side) and self.would_trade(side, self.queue(side)[0].price, 1):
                own = self.queue(side)[0]
                lots = self.possible(own)
                if lots == 0:
                    self.drop(own, Reject.VENUE_REDUCE_ONLY)
                    continue
                if not self.whole:
                    trades = self.would_trade(side, own.price, lots)
                    self.take(side, trades)
                    lots = sum(taken for _, _, taken in trades)
                self.fill_at(own, lots, 0)

    def would_trade(self, side: int, limit: int, lots: int) -> list[tuple[int, int, int]]:
        found = []
        for price, there in self.book.depth(1 - side, 10**6):
            if lots and (price <= limit if side == BUY else price >= limit):
                found.append((0, price, min(lots, there)))
                lots -= min(lots, there)
        return found

    def take(self, side: int, trades: list[tuple[int, int, int]]) -> None:
        for _, price, lots in trades:
            self.book.set(1 - side, price, self.book.quantity(1 - side, price) - lots)

    def queue_up(self, own: Own) -> int:
        own.arrived = self.stamp()
        ahead = self.told_ahead(own.side, own.price)
        self.standings[own.id] = Standing(1e18 if ahead < 0 else ahead)
        return ahead

    def told_ahead(self, side: int, price: int) -> int:
        """Lots that the data say stand at a price; -1 where they do not say."""
        return self.book.quantity(side, price)

    def ahead(self, own: Own) -> int:
        return int(self.standings[own.id].ahead + 0.5)
