"""A naive simulated venue for one instrument: the rules at the head of _core/simulator, read straight, on the naive book.

Answers are plain tuples (kind, time_ns, venue_ns, order id, price, lots, maker, remaining, fee, reject, ahead).
"""

from dataclasses import dataclass
from fractions import Fraction
from math import ceil

import numpy as np

from tests.reference.book import BUY, SELL, ReferenceBook
from tradebot._core.types import Flag, Kind, Reject, TimeInForce


@dataclass
class Own:
    id: int
    side: int
    price: int
    remaining: int
    arrived: int


class ReferenceSimulator:
    def __init__(self, order_ns: int, answer_ns: int, maker: int, taker: int) -> None:
        self.book = ReferenceBook()
        self.order_ns, self.answer_ns = order_ns, answer_ns
        self.maker, self.taker = maker, taker
        self.own: list[Own] = []
        self.taken: dict[int, int] = {}
        self.underway: list[tuple[int, int, np.void]] = []
        self.answers: list[tuple] = []
        self.now = 0
        self.sent = 0

    def send(self, command: np.void) -> None:
        self.underway.append((int(command["time_ns"]) + self.order_ns, self.sent, command))
        self.sent += 1

    def market(self, record: np.void) -> None:
        now = int(record["venue_ns"])
        self.advance(now - 1)
        self.now = now
        kind, flags = int(record["kind"]), int(record["flags"])
        if flags & Flag.VOID or not Kind.L3_ADD <= kind <= Kind.L3_EXECUTE:
            return
        if kind == Kind.L3_EXECUTE:
            self.fill_before(record, flags & Flag.SELL)
        self.apply(record, kind)
        if flags & Flag.SNAPSHOT:
            if flags & Flag.LAST:
                for side in (BUY, SELL):
                    for own in self.queue(side):
                        own.arrived = self.stamp()
            return
        self.fill_crossed()

    def stamp(self) -> int:
        self.book.arrivals += 1
        return self.book.arrivals - 1

    def apply(self, record: np.void, kind: int) -> None:
        order_id = int(record["id"])
        if kind == Kind.L3_CHANGE and order_id in self.taken:
            record = record.copy()
            record["quantity"] -= self.taken[order_id]
        self.book.apply_one(record)
        if kind == Kind.L3_DELETE:
            self.taken.pop(order_id, None)

    def queue(self, side: int) -> list[Own]:
        """Ours of a side, the best price first, then by arrival at the venue."""
        mine = [one for one in self.own if one.side == side]
        return sorted(mine, key=lambda one: -one.price if side == BUY else one.price)

    def fill_before(self, record: np.void, side: int) -> None:
        price, left = int(record["price"]), int(record["quantity"])
        maker = self.book.orders.get(int(record["id"]))
        for own in self.queue(side):
            better = own.price > price if side == BUY else own.price < price
            earlier = own.price == price and maker is not None and own.arrived < maker.arrived
            if not (better or earlier) or left == 0:
                return
            lots = min(own.remaining, left)
            left -= lots
            self.fill_own(own, lots)

    def fill_own(self, own: Own, lots: int) -> None:
        own.remaining -= lots
        if own.remaining == 0:
            self.own.remove(own)
        level = [one for one in self.book.resting if (one.side, one.price) == (own.side, own.price)]
        ahead = sum(one.quantity for one in level if one.arrived < own.arrived)
        self.answer(Kind.ORDER_FILLED, own.id, own.price, lots, True, own.remaining, ahead=ahead)

    def fill_crossed(self) -> None:
        for side in (BUY, SELL):
            for own in self.queue(side):
                for maker, _, lots in self.book.would_trade(side, own.price, own.remaining):
                    self.fill_own(own, lots)
                    self.take(maker, lots)

    def take(self, maker: int, lots: int) -> None:
        self.taken[maker] = self.taken.get(maker, 0) + lots
        self.book.reduce(self.book.orders[maker], lots)

    def advance(self, until: int) -> None:
        while self.underway and min(self.underway)[0] <= until:
            first = min(self.underway, key=lambda one: one[:2])
            self.underway.remove(first)
            self.now = first[0]
            if first[2]["kind"] == Kind.CANCEL_ORDER:
                self.cancel(int(first[2]["id"]))
            else:
                self.place(first[2])

    def cancel(self, order_id: int) -> None:
        for own in self.own:
            if own.id == order_id:
                self.own.remove(own)
                self.answer(Kind.ORDER_CANCELLED, order_id, own.price, own.remaining)
                return
        self.answer(Kind.CANCEL_REJECTED, order_id, 0, 0, reject=Reject.VENUE_ORDER_UNKNOWN)

    def place(self, command: np.void) -> None:
        order_id, side = int(command["id"]), int(command["flags"]) & Flag.SELL
        price, left, force = int(command["price"]), int(command["quantity"]), int(command["time_in_force"])
        immediate = force in (TimeInForce.IOC, TimeInForce.FOK)
        other = self.queue(1 - side)
        meets_own = bool(other) and (price >= other[0].price if side == BUY else price <= other[0].price)
        limit = price
        if meets_own:
            limit = other[0].price - 1 if side == BUY else other[0].price + 1
        trades = self.book.would_trade(side, limit, left)
        if force == TimeInForce.POST_ONLY and (trades or meets_own):
            self.answer(Kind.ORDER_REJECTED, order_id, price, left, reject=Reject.VENUE_POST_ONLY_WOULD_TAKE)
            return
        if force == TimeInForce.FOK and sum(lots for _, _, lots in trades) < left:
            self.answer(Kind.ORDER_REJECTED, order_id, price, left, reject=Reject.VENUE_FILL_OR_KILL_UNFILLED)
            return
        rests_at_once = not trades and not meets_own and not immediate
        resting = sum(lots for _, lots in self.book.queue(price))
        self.answer(Kind.ORDER_ACCEPTED, order_id, price, left, ahead=resting if rests_at_once else -1)
        for _, at, lots in trades:
            left -= lots
            self.answer(Kind.ORDER_FILLED, order_id, at, lots, False, left)
        for maker, _, lots in trades:
            self.take(maker, lots)
        if left and meets_own:
            self.answer(Kind.ORDER_CANCELLED, order_id, price, left, reject=Reject.VENUE_SELF_TRADE)
        elif left and immediate:
            self.answer(Kind.ORDER_CANCELLED, order_id, price, left, reject=Reject.VENUE_NO_LIQUIDITY)
        elif left:
            self.own.append(Own(order_id, side, price, left, self.stamp()))

    def answer(
        self, kind: int, order_id: int, price: int, lots: int, maker: bool = False, remaining: int = 0,
        reject: int = 0, ahead: int = 0,
    ) -> None:
        fee = 0
        if kind == Kind.ORDER_FILLED:
            fee = ceil(Fraction(price * lots * (self.maker if maker else self.taker), 10**8))
        row = (int(kind), self.now + self.answer_ns, self.now, order_id, price, lots, maker, remaining, fee, int(reject), ahead)
        self.answers.append(row)

    def take_answers(self) -> list[tuple]:
        answers, self.answers = self.answers, []
        return answers
