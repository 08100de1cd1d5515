"""A naive simulated venue for one instrument: the rules at the head of _core/simulator, read straight, on the naive book.

Our orders are a plain list that is sorted whenever somebody asks who is first; those that wait for a trigger are another. Answers
are whole facts, every slot filled as the record table says, so that a suite can compare bytes.
"""

from dataclasses import dataclass
from fractions import Fraction
from math import ceil
from typing import Any

import numpy as np

from tests.reference.book import BUY, SELL, ReferenceBook
from tradebot._core.types import FACT_DTYPE, Flag, Kind, OrderFlag, OrderType, Reject, TimeInForce

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
    total: int
    parent: int = 0
    force: int = TimeInForce.GTC
    flags: int = 0
    sent: int = 0
    is_market: bool = False
    triggered: bool = False

    @property
    def reduces(self) -> bool:
        return bool(self.flags & OrderFlag.REDUCE_ONLY)


@dataclass
class Waiting(Own):
    """An order of ours that waits for its trigger; `cause` is that of its command."""

    order_type: int = OrderType.STOP
    trigger: int = 0
    trail: int = 0
    fired: bool = False
    since: int = 0

    @property
    def is_target(self) -> bool:
        return self.order_type in TOUCHES

    def is_met(self, price: int) -> bool:
        rising = (self.side == BUY) != self.is_target
        return price >= self.trigger if rising else price <= self.trigger

    def follow(self, price: int) -> None:
        if self.trail:
            self.trigger = min(self.trigger, price + self.trail) if self.side == BUY else max(self.trigger, price - self.trail)


WITH_LIMIT = (OrderType.STOP_LIMIT, OrderType.TAKE_PROFIT_LIMIT)
TOUCHES = (OrderType.TAKE_PROFIT, OrderType.TAKE_PROFIT_LIMIT)
ANY = 10**18


class ReferenceSimulator:
    """`ticks * lots * value` and `lots * base_value` are money units of quote and base, assets by number."""

    base, quote = 0, 1

    def __init__(
        self, order_ns: int, answer_ns: int, maker: int, taker: int, fee_in_base: bool = False,
        value: Fraction = Fraction(1), base_value: Fraction = Fraction(1), instrument: int = 1,
    ) -> None:
        self.book = ReferenceBook()
        self.order_ns, self.answer_ns = order_ns, answer_ns
        self.maker, self.taker, self.fee_in_base = maker, taker, fee_in_base
        self.value, self.base_value, self.instrument = value, base_value, instrument
        self.own: list[Own] = []
        self.waiting: list[Waiting] = []
        self.held: dict[int, int] = {}
        self.fees_in_base: dict[int, int] = {}
        self.last = self.mark = 0
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
        kind, flags, before = int(record["kind"]), int(record["flags"]), self.trades
        if flags & Flag.VOID:
            return
        if kind == Kind.TRADE:
            self.last = int(record["price"])
            self.watch(self.last, by_mark=False)
        elif kind == Kind.MARK and record["price"]:
            self.mark = int(record["price"])
            self.watch(self.mark, by_mark=True)
        self.event(record, kind, flags)
        if self.trades != before:
            self.trim()

    def event(self, record: np.void, kind: int, flags: int) -> None:
        if not Kind.L3_ADD <= kind <= Kind.L3_EXECUTE:
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
        while self.queue(side) and left:
            own = self.queue(side)[0]
            better = own.price > price if side == BUY else own.price < price
            earlier = own.price == price and maker is not None and own.arrived < maker.arrived
            if not (better or earlier):
                return
            lots = min(self.possible(own), left)
            if lots == 0:
                self.drop(own, Reject.VENUE_REDUCE_ONLY)
                continue
            left -= lots
            self.fill_own(own, lots, int(record["id2"]))

    def fill_crossed(self) -> None:
        """A recorded order that rests at or through our price would have met us."""
        for side in (BUY, SELL):
            while self.queue(side):
                own, other = self.queue(side)[0], self.book.ask if side == BUY else self.book.bid
                if other is None or (other > own.price if side == BUY else other < own.price):
                    break
                if self.possible(own) == 0:
                    self.drop(own, Reject.VENUE_REDUCE_ONLY)
                    continue
                trades = self.would_trade(side, own.price, self.possible(own))
                for maker, _, lots in trades:
                    self.fill_own(own, lots, maker)
                self.take(side, trades)

    def fill_own(self, own: Own, lots: int, other: int) -> None:
        own.remaining -= lots
        if own.remaining == 0:
            self.own.remove(own)
        self.answer_fill(own, own.price, lots, own.remaining, other, self.ahead(own))

    def take(self, side: int, trades: list[tuple[int, int, int]]) -> None:
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
            before = self.trades
            kind = first[2]["kind"]
            if kind == Kind.CANCEL_ORDER:
                self.cancel(first[2])
            elif kind == Kind.AMEND_ORDER:
                self.amend(first[2])
            elif kind == Kind.ORDER_TRIGGERED:
                self.act(int(first[2]["id"]))
            elif int(first[2]["flags2"]) & OrderFlag.JOINS and all(one.parent != first[2]["parent"] for one in self.waiting):
                self.answer(
                    Kind.ORDER_REJECTED, reject=int(Reject.VENUE_GROUP_DONE),
                    **{name: first[2][name] for name in ("id", "owner", "flags", "price", "quantity", "cause")},
                )
            elif first[2]["order_type"] > OrderType.MARKET:
                self.wait(first[2])
            else:
                self.place(first[2])
            if self.trades != before:
                self.fill_crossed()
                self.trim()

    def cancel(self, command: np.void) -> None:
        for own in [*self.waiting, *self.own]:
            if own.id == int(command["id"]):
                self.drop(own, 0, cause=int(command["cause"]))
                return
        self.refuse(command, Kind.CANCEL_REJECTED, Reject.VENUE_ORDER_UNKNOWN)

    def refuse(self, command: np.void, kind: int, why: int) -> None:
        slots = {"id": command["id"], "owner": command["owner"], "cause": command["cause"]}
        self.answer(kind, flags=int(command["flags"]) & Flag.SELL, reject=int(why), **slots)

    def drop(self, own: Own, why: int, cause: int = 0, left: int | None = None) -> None:
        """An order of ours ends without more fills."""
        self.list_of(own).remove(own)
        self.answer(
            Kind.ORDER_CANCELLED, id=own.id, owner=own.strategy, flags=own.side, price=own.price,
            quantity=own.remaining if left is None else left, reject=int(why), cause=cause,
        )  # fmt: skip

    def list_of(self, own: Own) -> list[Any]:
        return self.waiting if isinstance(own, Waiting) else self.own

    def possible(self, own: Own) -> int:
        """What an order may fill: all of it, or what there is to reduce."""
        held = self.held.get(own.strategy, 0)
        return min(own.remaining, max(-held if own.side == BUY else held, 0)) if own.reduces else own.remaining

    def trim(self) -> None:
        """Orders that only reduce give up what they could no longer fill."""
        for own in [*self.queue(BUY), *self.queue(SELL), *self.waiting]:
            possible = self.possible(own)
            if possible == 0:
                self.drop(own, Reject.VENUE_REDUCE_ONLY)
            elif possible < own.remaining:
                own.total -= own.remaining - possible
                own.remaining = possible
                self.answer(
                    Kind.ORDER_AMENDED, id=own.id, owner=own.strategy, flags=own.side, price=own.price, quantity=own.total,
                    trigger=own.trigger if isinstance(own, Waiting) else 0, display=-1, reject=int(Reject.VENUE_REDUCE_ONLY),
                )  # fmt: skip

    def wait(self, command: np.void) -> None:
        one = Waiting(
            int(command["id"]), int(command["owner"]), int(command["flags"]) & Flag.SELL, int(command["price"]),
            int(command["quantity"]), 0, int(command["quantity"]), int(command["parent"]), int(command["time_in_force"]),
            int(command["flags2"]) & ~Flag.CONT, order_type=int(command["order_type"]), trigger=int(command["trigger"]),
            trail=int(command["display"]), sent=int(command["time_ns"]), since=self.now,
        )  # fmt: skip
        self.waiting.append(one)
        self.tell(one, Kind.ORDER_ACCEPTED, 0, int(command["cause"]), id2=one.id, display=-1)
        self.look(one)

    def watch(self, price: int, by_mark: bool) -> None:
        for one in self.waiting:
            if bool(one.flags & OrderFlag.BY_MARK) == by_mark:
                self.meet(one, price)

    def look(self, one: Waiting) -> None:
        price = self.mark if one.flags & OrderFlag.BY_MARK else self.last
        if price:
            self.meet(one, price)

    def meet(self, one: Waiting, price: int) -> None:
        """Follow a price; where it meets the trigger, the order acts after the events of this instant."""
        if one.fired:
            return
        one.follow(price)
        if one.is_met(price):
            one.fired = True
            fact = np.zeros(1, dtype=FACT_DTYPE)
            fact["kind"], fact["id"] = Kind.ORDER_TRIGGERED, one.id
            self.underway.append((self.now, self.sent, fact[0]))
            self.sent += 1

    def act(self, order_id: int) -> None:
        """A met order acts, unless it was cancelled in between."""
        for one in [one for one in self.waiting if one.id == order_id]:
            own = self.release(one)
            self.arrive(own, own.price if not own.is_market else ANY if own.side == BUY else -ANY, 0, 0)

    def release(self, one: Waiting) -> Own:
        """A met order's group ends, and it is an ordinary order of this moment."""
        self.waiting.remove(one)
        self.answer(
            Kind.ORDER_TRIGGERED, id=one.id, owner=one.strategy, flags=one.side, price=one.price, quantity=one.remaining,
            trigger=one.trigger, display=-1,
        )  # fmt: skip
        for other in [*self.waiting, *self.queue(BUY), *self.queue(SELL)]:
            if one.parent and other.parent == one.parent:
                self.drop(other, Reject.VENUE_GROUP_DONE)
        is_market = one.order_type not in WITH_LIMIT
        return Own(
            one.id, one.strategy, one.side, one.price, one.remaining, 0, one.total, one.parent,
            TimeInForce.IOC if is_market else one.force, one.flags, one.sent if one.since == self.now else self.now,
            is_market, triggered=is_market,
        )  # fmt: skip

    def amend(self, command: np.void) -> None:
        total, price, trigger = (int(command[name]) for name in ("quantity", "price", "trigger"))
        found = [one for one in [*self.waiting, *self.own] if one.id == int(command["id"])]
        if not found or (isinstance(found[0], Waiting) and found[0].fired):
            self.refuse(command, Kind.AMEND_REJECTED, Reject.VENUE_ORDER_UNKNOWN)
            return
        own = found[0]
        remaining = total - (own.total - own.remaining)
        if remaining <= 0:
            self.refuse(command, Kind.AMEND_REJECTED, Reject.VENUE_AMEND_TOO_SMALL)
            return
        if isinstance(own, Waiting):
            own.total, own.remaining, own.price, own.trigger = total, remaining, price, trigger or own.trigger
            self.changed(own, int(command["cause"]), own.trigger, -1)
            self.look(own)
        elif price == own.price and remaining <= own.remaining:
            own.total, own.remaining = total, remaining
            self.changed(own, int(command["cause"]), 0, -1)
        elif own.force == TimeInForce.POST_ONLY and self.would_take(own.side, price):
            self.refuse(command, Kind.AMEND_REJECTED, Reject.VENUE_POST_ONLY_WOULD_TAKE)
        else:
            self.own.remove(own)
            own.total, own.remaining, own.price, own.sent = total, remaining, price, int(command["time_ns"])
            self.arrive(own, price, Kind.ORDER_AMENDED, int(command["cause"]))

    def changed(self, own: Own, cause: int, trigger: int, ahead: int) -> None:
        self.answer(
            Kind.ORDER_AMENDED, id=own.id, owner=own.strategy, flags=own.side, price=own.price, quantity=own.total, cause=cause,
            trigger=trigger, display=ahead,
        )  # fmt: skip

    def would_take(self, side: int, price: int) -> bool:
        others = self.queue(1 - side)
        meets_own = bool(others) and (price >= others[0].price if side == BUY else price <= others[0].price)
        return meets_own or bool(self.would_trade(side, price, 1))

    def would_trade(self, side: int, limit: int, lots: int) -> list[tuple[int, int, int]]:
        """(recorded order, price, lots) that an order of ours would meet."""
        return self.book.would_trade(side, limit, lots)

    def place(self, command: np.void) -> None:
        lots = int(command["quantity"])
        own = Own(
            int(command["id"]), int(command["owner"]), int(command["flags"]) & Flag.SELL, int(command["price"]), lots, 0, lots,
            int(command["parent"]), int(command["time_in_force"]), int(command["flags2"]) & ~Flag.CONT, int(command["time_ns"]),
            command["order_type"] == OrderType.MARKET,
        )  # fmt: skip
        self.arrive(own, own.price, Kind.ORDER_ACCEPTED, int(command["cause"]))

    def arrive(self, own: Own, reach: int, kind: int, cause: int) -> None:
        """An order trades up to `reach`, and rests or ends; `kind` is what is answered first, 0 is nothing."""
        side, force, left = own.side, own.force, own.remaining
        immediate = force in (TimeInForce.IOC, TimeInForce.FOK)
        possible = self.possible(own)
        if possible == 0:
            ended = Kind.ORDER_REJECTED if kind == Kind.ORDER_ACCEPTED else Kind.ORDER_CANCELLED
            self.tell(own, ended, Reject.VENUE_REDUCE_ONLY, cause)
            return
        limit, meets_own = self.limit_before_own(side, reach)
        trades = self.would_trade(side, limit, possible)
        if force == TimeInForce.POST_ONLY and (trades or meets_own):
            self.tell(own, Kind.ORDER_REJECTED, Reject.VENUE_POST_ONLY_WOULD_TAKE, cause)
            return
        if force == TimeInForce.FOK and sum(lots for _, _, lots in trades) < left:
            self.tell(own, Kind.ORDER_REJECTED, Reject.VENUE_FILL_OR_KILL_UNFILLED, cause)
            return
        rests_at_once = not trades and not meets_own and not immediate
        ahead = self.queue_up(own) if rests_at_once else -1
        if kind == Kind.ORDER_ACCEPTED:
            self.tell(own, kind, 0, cause, id2=own.id, display=ahead)
        elif kind == Kind.ORDER_AMENDED:
            self.changed(own, cause, 0, ahead)
        self.trade(own, trades)
        while meets_own and own.remaining and own.flags & OrderFlag.PROTECTIVE and self.possible(own):
            self.drop(self.queue(1 - side)[0], Reject.VENUE_SELF_TRADE)
            limit, meets_own = self.limit_before_own(side, reach)
            self.trade(own, self.would_trade(side, limit, self.possible(own)))
        if not own.remaining:
            return
        if self.possible(own) == 0:
            self.tell(own, Kind.ORDER_CANCELLED, Reject.VENUE_REDUCE_ONLY, cause)
        elif meets_own:
            self.tell(own, Kind.ORDER_CANCELLED, Reject.VENUE_SELF_TRADE, cause)
        elif immediate:
            self.tell(own, Kind.ORDER_CANCELLED, Reject.VENUE_NO_LIQUIDITY, cause)
        else:
            if not rests_at_once:
                self.queue_up(own)
            self.own.append(own)

    def limit_before_own(self, side: int, reach: int) -> tuple[int, bool]:
        """How far an order goes before it meets one of ours, and whether it does."""
        others = self.queue(1 - side)
        if not others or (reach < others[0].price if side == BUY else reach > others[0].price):
            return reach, False
        return (others[0].price - 1 if side == BUY else others[0].price + 1), True

    def trade(self, own: Own, trades: list[tuple[int, int, int]]) -> None:
        for maker, at, lots in trades:
            own.remaining -= lots
            self.answer_fill(own, at, lots, own.remaining, maker, None)
        self.take(own.side, trades)

    def tell(self, own: Own, kind: int, why: int, cause: int, **slots: int) -> None:
        self.answer(
            kind, id=own.id, owner=own.strategy, flags=own.side, price=own.price, quantity=own.remaining,
            reject=int(why), cause=cause, **slots,
        )  # fmt: skip

    def queue_up(self, own: Own) -> int:
        """An order comes to rest behind all that is there; returns how many lots are told to be."""
        own.arrived = self.stamp()
        return sum(one.quantity for one in self.book.resting if (one.side, one.price) == (own.side, own.price))

    def answer_fill(self, own: Own, price: int, lots: int, remaining: int, other: int, ahead: int | None) -> None:
        """`ahead` is how many lots stood before it, None of an order that took."""
        self.trades += 1
        is_maker = ahead is not None
        rate = self.maker if is_maker else self.taker
        in_base = self.fee_in_base and own.side == BUY
        amount = ceil(lots * self.base_value) if in_base else ceil(price * lots * self.value)
        fee = ceil(Fraction(amount * rate, FEE_SCALE))
        self.answer(
            Kind.ORDER_FILLED, id=own.id, owner=own.strategy, price=price, quantity=lots, id2=other,
            flags=own.side | (Flag.MAKER if is_maker else 0), trade_id=self.trades, parent=remaining, trigger=self.middle2,
            display=ahead or 0, fee_asset=self.base if in_base else self.quote,
            fee=fee,
        )  # fmt: skip
        self.hold(own.strategy, (lots if own.side == BUY else -lots) - (self.taken_by(own.strategy, fee) if in_base else 0))
        for one in [*self.waiting]:
            if own.parent and one.parent == own.parent and one.id != own.id:
                one.remaining -= lots
                if one.remaining <= 0:
                    self.drop(one, Reject.VENUE_GROUP_DONE, left=0)

    def hold(self, strategy: int, lots: int) -> None:
        self.held[strategy] = self.held.get(strategy, 0) + lots

    def taken_by(self, strategy: int, fee: int) -> int:
        """Lots that a fee in base begins."""
        before = self.fees_in_base.get(strategy, 0)
        self.fees_in_base[strategy] = before + fee
        return ceil((before + fee) / self.base_value) - ceil(before / self.base_value)

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
