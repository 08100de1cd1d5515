"""A naive simulated venue for one instrument: the rules at the head of _core/simulator, read straight, on the naive book.

Our orders are a plain list that is sorted whenever somebody asks who is first. Answers are whole facts, every slot filled
as the record table says, so that a suite can compare bytes.
"""

from dataclasses import dataclass
from fractions import Fraction
from math import ceil

import numpy as np

from tests.reference.book import BUY, SELL, ReferenceBook
from tradebot._core.types import FACT_DTYPE, Flag, Kind, Reject, TimeInForce

FEE_SCALE = 10**8


@dataclass
class Own:
    """An order of ours at the venue; `arrived` counts with the arrivals of the recorded ones."""

    id: int
    strategy: int
    side: int
    price: int
    remaining: int
    arrived: int


class ReferenceSimulator:
    """`ticks * lots * value` and `lots * base_value` are money units of quote and base; asset 0 is base, 1 is quote."""

    def __init__(
        self, order_ns: int, answer_ns: int, maker: int, taker: int, fee_in_base: bool = False,
        value: Fraction = Fraction(1), base_value: Fraction = Fraction(1), instrument: int = 1,
    ) -> None:
        self.book = ReferenceBook()
        self.order_ns, self.answer_ns = order_ns, answer_ns
        self.maker, self.taker, self.fee_in_base = maker, taker, fee_in_base
        self.value, self.base_value, self.instrument = value, base_value, instrument
        self.own: list[Own] = []
        self.taken: dict[int, int] = {}
        self.underway: list[tuple[int, int, np.void]] = []
        self.answers: list[np.ndarray] = []
        self.now = 0
        self.instant = 0
        self.middle2 = 0
        self.sent = 0
        self.trades = 0

    def send(self, command: np.void) -> None:
        """Take a command as it leaves; it arrives `order_ns` later, after the recorded events of that instant."""
        self.underway.append((int(command["time_ns"]) + self.order_ns, self.sent, command))
        self.sent += 1

    def market(self, record: np.void) -> None:
        """Take in one recorded event at its venue time."""
        self.advance(int(record["venue_ns"]) - 1)
        self.come_to(int(record["venue_ns"]))
        kind, flags = int(record["kind"]), int(record["flags"])
        if flags & Flag.VOID or not Kind.L3_ADD <= kind <= Kind.L3_EXECUTE:
            return
        if kind == Kind.L3_EXECUTE:
            self.fill_before(record, flags & Flag.SELL)
        self.apply(record, kind)
        if flags & Flag.SNAPSHOT:
            if not flags & Flag.LAST:
                return
            self.requeue()
        self.fill_crossed()

    def come_to(self, now: int) -> None:
        self.now = now
        if now != self.instant:
            self.instant = now
            one_sided = self.book.bid is None or self.book.ask is None
            self.middle2 = 0 if one_sided else self.book.bid + self.book.ask

    def requeue(self) -> None:
        for side in (BUY, SELL):
            for own in self.queue(side):
                own.arrived = self.stamp()

    def stamp(self) -> int:
        self.book.arrivals += 1
        return self.book.arrivals - 1

    def apply(self, record: np.void, kind: int) -> None:
        order_id = int(record["id"])
        if kind in (Kind.L3_CHANGE, Kind.L3_ADD) and order_id in self.taken:
            record = record.copy()
            record["quantity"] -= self.taken[order_id]
        self.book.apply_one(record)
        if kind == Kind.L3_DELETE:
            self.taken.pop(order_id, None)

    def queue(self, side: int) -> list[Own]:
        """Ours of a side, the best price first, then by arrival at the venue."""
        mine = [one for one in self.own if one.side == side]
        return sorted(mine, key=lambda one: (-one.price if side == BUY else one.price, one.arrived))

    def fill_before(self, record: np.void, side: int) -> None:
        """The taker of this execution met all of ours that stand before its maker."""
        price, left = int(record["price"]), int(record["quantity"])
        maker = self.book.orders.get(int(record["id"]))
        for own in self.queue(side):
            better = own.price > price if side == BUY else own.price < price
            earlier = own.price == price and maker is not None and own.arrived < maker.arrived
            if not (better or earlier) or left == 0:
                return
            lots = min(own.remaining, left)
            left -= lots
            self.fill_own(own, lots, int(record["id2"]))

    def fill_crossed(self) -> None:
        """A recorded order that rests at or through our price would have met us."""
        for side in (BUY, SELL):
            for own in self.queue(side):
                trades = self.book.would_trade(side, own.price, own.remaining)
                for maker, _, lots in trades:
                    self.fill_own(own, lots, maker)
                self.take(trades)

    def fill_own(self, own: Own, lots: int, other: int) -> None:
        own.remaining -= lots
        if own.remaining == 0:
            self.own.remove(own)
        self.answer_fill(own, own.price, lots, own.remaining, other, is_maker=True)

    def take(self, trades: list[tuple[int, int, int]]) -> None:
        for maker, _, lots in trades:
            self.taken[maker] = self.taken.get(maker, 0) + lots
        for maker, _, lots in trades:
            self.book.reduce(self.book.orders[maker], lots)

    def ahead(self, own: Own) -> int:
        level = [one for one in self.book.resting if (one.side, one.price) == (own.side, own.price)]
        return sum(one.quantity for one in level if one.arrived < own.arrived)

    def advance(self, until: int) -> None:
        """Take every command that has arrived by `until`, the earliest first, then in the order they were sent."""
        while self.underway:
            first = min(self.underway, key=lambda one: one[:2])
            if first[0] > until:
                return
            self.underway.remove(first)
            self.come_to(first[0])
            if first[2]["kind"] == Kind.CANCEL_ORDER:
                self.cancel(first[2])
            else:
                before = self.trades
                self.place(first[2])
                if self.trades != before:
                    self.fill_crossed()

    def cancel(self, command: np.void) -> None:
        slots = {"id": command["id"], "owner": command["owner"], "cause": command["cause"]}
        for own in self.own:
            if own.id == int(command["id"]):
                self.own.remove(own)
                self.answer(Kind.ORDER_CANCELLED, flags=own.side, price=own.price, quantity=own.remaining, **slots)
                return
        side = int(command["flags"]) & Flag.SELL
        self.answer(Kind.CANCEL_REJECTED, flags=side, reject=Reject.VENUE_ORDER_UNKNOWN, **slots)

    def place(self, command: np.void) -> None:
        side, price = int(command["flags"]) & Flag.SELL, int(command["price"])
        left, force = int(command["quantity"]), int(command["time_in_force"])
        immediate = force in (TimeInForce.IOC, TimeInForce.FOK)
        others = self.queue(1 - side)
        meets_own = bool(others) and (price >= others[0].price if side == BUY else price <= others[0].price)
        limit = price
        if meets_own:
            limit = others[0].price - 1 if side == BUY else others[0].price + 1
        trades = self.book.would_trade(side, limit, left)
        if force == TimeInForce.POST_ONLY and (trades or meets_own):
            self.end(command, Kind.ORDER_REJECTED, left, Reject.VENUE_POST_ONLY_WOULD_TAKE)
            return
        if force == TimeInForce.FOK and sum(lots for _, _, lots in trades) < left:
            self.end(command, Kind.ORDER_REJECTED, left, Reject.VENUE_FILL_OR_KILL_UNFILLED)
            return
        rests_at_once = not trades and not meets_own and not immediate
        own = Own(int(command["id"]), int(command["owner"]), side, price, left, self.stamp() if rests_at_once else 0)
        self.end(command, Kind.ORDER_ACCEPTED, left, 0, id2=own.id, display=self.ahead_of_new(own) if rests_at_once else -1)
        for maker, at, lots in trades:
            own.remaining -= lots
            self.answer_fill(own, at, lots, own.remaining, maker, is_maker=False)
        self.take(trades)
        if own.remaining and meets_own:
            self.end(command, Kind.ORDER_CANCELLED, own.remaining, Reject.VENUE_SELF_TRADE)
        elif own.remaining and immediate:
            self.end(command, Kind.ORDER_CANCELLED, own.remaining, Reject.VENUE_NO_LIQUIDITY)
        elif own.remaining:
            own.arrived = own.arrived if rests_at_once else self.stamp()
            self.own.append(own)

    def ahead_of_new(self, own: Own) -> int:
        return sum(one.quantity for one in self.book.resting if (one.side, one.price) == (own.side, own.price))

    def end(self, command: np.void, kind: int, left: int, why: int, **slots: int) -> None:
        names = ("id", "owner", "price", "cause")
        side = int(command["flags"]) & Flag.SELL
        self.answer(kind, **{name: command[name] for name in names}, flags=side, quantity=left, reject=int(why), **slots)

    def answer_fill(self, own: Own, price: int, lots: int, remaining: int, other: int, is_maker: bool) -> None:
        self.trades += 1
        rate = self.maker if is_maker else self.taker
        in_base = self.fee_in_base and own.side == BUY
        amount = ceil(lots * self.base_value) if in_base else ceil(price * lots * self.value)
        self.answer(
            Kind.ORDER_FILLED, id=own.id, owner=own.strategy, price=price, quantity=lots, id2=other,
            flags=own.side | (Flag.MAKER if is_maker else 0), trade_id=self.trades, parent=remaining, trigger=self.middle2,
            display=self.ahead(own) if is_maker else 0, fee_asset=0 if in_base else 1,
            fee=ceil(Fraction(amount * rate, FEE_SCALE)),
        )  # fmt: skip

    def answer(self, kind: int, **slots: int) -> None:
        fact = np.zeros(1, dtype=FACT_DTYPE)
        fact["kind"] = fact["kind2"] = kind
        fact["flags2"] = Flag.CONT
        fact["time_ns"], fact["venue_ns"] = self.now + self.answer_ns, self.now
        fact["instrument"] = self.instrument
        for name, value in slots.items():
            fact[name] = value
        self.answers.append(fact)

    def take_answers(self) -> np.ndarray:
        """Facts since the last call, as an array of FACT_DTYPE."""
        answers, self.answers = self.answers, []
        return np.concatenate(answers) if answers else np.zeros(0, dtype=FACT_DTYPE)

    def resting(self, side: int) -> list[tuple[int, int, int, int]]:
        """What `Simulator.resting` tells of our orders of one side."""
        return [(own.id, own.price, own.remaining, self.ahead(own)) for own in self.queue(side)]
