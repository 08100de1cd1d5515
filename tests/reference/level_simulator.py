"""The simulated venue on price levels in plain Python: dicts, lists and scans, one market, no latency.

It answers with tuples (kind, order id, price, lots, lots that remain, lots ahead, refusal); what does not apply is 0.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

from tests.reference.depth import BUY, SELL, ReferenceDepth
from tradebot._core.types import Flag, Kind, Reject, TimeInForce

Answer = tuple[int, int, int, int, int, int, int]


@dataclass
class Resting:
    id: int
    side: int
    price: int
    remaining: int
    ahead: float
    traded: int = 0


def risk_averse(ahead: float, behind: float) -> float:
    """All of a decrease was behind us."""
    return 1.0


def by_weight(weight: Callable[[float], float]) -> Callable[[float, float], float]:
    def chance(ahead: float, behind: float) -> float:
        mine, other = (weight(lots) if lots > 0 else 0.0 for lots in (behind, ahead))
        return mine / (mine + other) if mine + other > 0 else 1.0

    return chance


def power(exponent: int) -> Callable[[float, float], float]:
    return by_weight(lambda lots: math.prod([lots] * exponent, start=1.0))


class ReferenceLevelSimulator:
    def __init__(self, chance: Callable[[float, float], float], whole: bool) -> None:
        self.chance, self.whole = chance, whole
        self.book = ReferenceDepth()
        self.orders: list[Resting] = []  # in order of arrival
        self.answers: list[Answer] = []

    def queue(self, side: int) -> list[Resting]:
        """Our orders of a side, the best price first, then by arrival."""
        return sorted((one for one in self.orders if one.side == side), key=lambda one: -one.price if side == BUY else one.price)

    def market(self, kind: int, side: int, price: int, lots: int, flags: int) -> None:
        if kind == Kind.TRADE:
            self.trade(1 - side, price, lots)
            return
        before = 0 if flags & Flag.BEGIN else self.book.quantity(side, price)
        if flags & Flag.BEGIN:
            self.book.clear()
        self.book.set(side, price, lots)
        for order in self.orders:
            if not flags & Flag.SNAPSHOT and (order.side, order.price) == (side, price):
                self.change(order, before, max(lots, 0))
        if flags & Flag.LAST:
            for order in self.orders if flags & Flag.SNAPSHOT else []:
                order.traded, order.ahead = 0, min(order.ahead, self.book.quantity(order.side, order.price))
            self.crossed()

    def change(self, order: Resting, before: int, after: int) -> None:
        decrease = before - after - order.traded
        order.traded = 0
        if decrease > 0 and self.chance is not risk_averse:
            behind = before - order.ahead
            behind_gone = self.chance(order.ahead, behind) * decrease
            order.ahead -= (1.0 - self.chance(order.ahead, behind)) * decrease
            order.ahead += min(behind - behind_gone, 0.0)
            order.ahead = max(order.ahead, 0.0)
        order.ahead = min(order.ahead, after)

    def trade(self, side: int, price: int, lots: int) -> None:
        left = lots
        for order in self.queue(side):
            ahead, reached = 0, order.remaining
            if order.price == price:
                ahead = int(order.ahead + 0.5)
                order.traded += lots
                order.ahead -= lots
                reached = int(-order.ahead + 0.5) if order.ahead < 0 else 0
                order.ahead = 0.0 if reached > 0 else order.ahead
            elif order.price < price if side == BUY else order.price > price:
                break
            reached = (order.remaining if reached > 0 else 0) if self.whole else min(reached, left, order.remaining)
            left -= reached
            if reached > 0:
                self.fill(order, reached, ahead)

    def fill(self, order: Resting, lots: int, ahead: int) -> None:
        order.remaining -= lots
        if order.remaining == 0:
            self.orders.remove(order)
        self.answers.append((Kind.ORDER_FILLED, order.id, order.price, lots, order.remaining, ahead, 0))

    def crossed(self) -> None:
        for side in (BUY, SELL):
            for order in self.queue(side):
                matches = self.match(side, order.price, order.remaining)
                if not matches:
                    break
                if self.whole:
                    self.fill(order, order.remaining, 0)
                    continue
                self.take(side, matches)
                self.fill(order, sum(lots for _, lots in matches), 0)

    def match(self, side: int, limit: int, lots: int) -> list[tuple[int, int]]:
        found = []
        for price, there in self.book.depth(1 - side, 10**6):
            if lots and (price <= limit if side == BUY else price >= limit):
                found.append((price, min(lots, there)))
                lots -= min(lots, there)
        return found

    def take(self, side: int, matches: list[tuple[int, int]]) -> None:
        for price, lots in matches:
            self.book.set(1 - side, price, self.book.quantity(1 - side, price) - lots)

    def place(self, order_id: int, side: int, limit: int, lots: int, force: int) -> None:
        own = [one.price for one in self.queue(1 - side)][:1]
        meets_own = bool(own) and (limit >= own[0] if side == BUY else limit <= own[0])
        reach = (own[0] - 1 if side == BUY else own[0] + 1) if meets_own else limit
        matches = self.match(side, reach, lots)
        total = sum(taken for _, taken in matches)
        if force == TimeInForce.POST_ONLY and (matches or meets_own):
            self.end(Kind.ORDER_REJECTED, order_id, limit, lots, Reject.VENUE_POST_ONLY_WOULD_TAKE)
            return
        if force == TimeInForce.FOK and total < lots:
            self.end(Kind.ORDER_REJECTED, order_id, limit, lots, Reject.VENUE_FILL_OR_KILL_UNFILLED)
            return
        rests = force in (TimeInForce.GTC, TimeInForce.POST_ONLY)
        ahead = self.told_ahead(side, limit)
        shown = ahead if rests and not matches and not meets_own else -1
        self.answers.append((Kind.ORDER_ACCEPTED, order_id, limit, lots, 0, shown, 0))
        left = lots
        for price, taken in matches:
            left -= taken
            self.answers.append((Kind.ORDER_FILLED, order_id, price, taken, left, 0, 0))
        self.take(side, matches)
        if left and meets_own:
            self.end(Kind.ORDER_CANCELLED, order_id, limit, left, Reject.VENUE_SELF_TRADE)
        elif left and not rests:
            self.end(Kind.ORDER_CANCELLED, order_id, limit, left, Reject.VENUE_NO_LIQUIDITY)
        elif left:
            ahead = self.told_ahead(side, limit)
            self.orders.append(Resting(order_id, side, limit, left, 1e18 if ahead < 0 else ahead))
        if matches:
            self.crossed()

    def told_ahead(self, side: int, price: int) -> int:
        """Lots that the data say stand at a price; -1 where they do not say."""
        return self.book.quantity(side, price)

    def end(self, kind: int, order_id: int, price: int, lots: int, why: int) -> None:
        self.answers.append((kind, order_id, price, lots, 0, 0, why))

    def cancel(self, order_id: int) -> None:
        found = [one for one in self.orders if one.id == order_id]
        if not found:
            self.answers.append((Kind.CANCEL_REJECTED, order_id, 0, 0, 0, 0, Reject.VENUE_ORDER_UNKNOWN))
            return
        self.orders.remove(found[0])
        self.answers.append((Kind.ORDER_CANCELLED, order_id, found[0].price, found[0].remaining, 0, 0, 0))
