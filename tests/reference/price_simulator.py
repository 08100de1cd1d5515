"""The simulated venue where data tell prices and no book, in plain Python: what its bar and its trade twin share.

One market. Orders are kept in one list by arrival, and asked about by scans. Answers are whole facts, every slot filled as the
record table says, so that a suite can compare bytes.
"""

from dataclasses import dataclass
from fractions import Fraction
from math import ceil, floor

import numpy as np

from tradebot._core.types import FACT_DTYPE, Flag, Kind, OrderType, Reject, TimeInForce

BUY, SELL = 0, 1
FEE_SCALE = 10**8


@dataclass
class Order:
    id: int
    strategy: int
    side: int
    kind: int
    force: int
    price: int
    remaining: int
    sent: int
    takes: bool = False
    trigger: int = 0
    trail: int = 0
    since: int = 0
    triggered: bool = False

    @property
    def is_conditional(self) -> bool:
        return self.kind > OrderType.MARKET

    @property
    def is_target(self) -> bool:
        return self.kind in (OrderType.TAKE_PROFIT, OrderType.TAKE_PROFIT_LIMIT)

    def is_met(self, price: int) -> bool:
        rising = (self.side == BUY) != self.is_target
        return price >= self.trigger if rising else price <= self.trigger

    def follow(self, price: int) -> None:
        if self.trail:
            self.trigger = min(self.trigger, price + self.trail) if self.side == BUY else max(self.trigger, price - self.trail)

    @property
    def waits(self) -> bool:
        """It trades at the next price, or not at all."""
        return not self.is_conditional and self.is_for_now

    @property
    def is_for_now(self) -> bool:
        return self.kind == OrderType.MARKET or self.force in (TimeInForce.IOC, TimeInForce.FOK)


class ReferencePriceSimulator:
    """`ticks * lots * value` and `lots * base_value` are money units of quote and base, assets by number. `paid` is in
    1e-8 of a price.
    """

    value = base_value = Fraction(1)
    base, quote = 0, 1

    def __init__(self, order_ns: int, answer_ns: int, maker: int, taker: int, paid: int, fee_in_base: bool = False) -> None:
        self.order_ns, self.answer_ns, self.maker, self.taker, self.paid = order_ns, answer_ns, maker, taker, paid
        self.fee_in_base = fee_in_base
        self.orders: list[Order] = []
        self.answers: list[np.ndarray] = []
        self.fired: list[Order] = []
        self.now = self.price = self.room = self.trades = 0

    def through(self, side: int, limit: int, price: int) -> bool:
        return price != 0 and (price < limit if side == BUY else price > limit)

    def resting(self, side: int) -> list[Order]:
        found = [one for one in self.orders if one.side == side and not one.waits and not one.is_conditional]
        return sorted(found, key=lambda one: -one.price if side == BUY else one.price)

    def meets_own(self, side: int, price: int) -> bool:
        other = self.resting(1 - side)
        return bool(other) and (price >= other[0].price if side == BUY else price <= other[0].price)

    def command(self, command: np.void) -> None:
        """Take a command as it arrives."""
        self.now = int(command["time_ns"]) + self.order_ns
        if command["kind"] == Kind.CANCEL_ORDER:
            self.cancel(command)
        else:
            self.place(command)

    def cancel(self, command: np.void) -> None:
        slots = {"id": int(command["id"]), "owner": int(command["owner"]), "cause": int(command["cause"])}
        for order in self.orders:
            if order.id == slots["id"]:
                self.orders.remove(order)
                self.answer(Kind.ORDER_CANCELLED, flags=order.side, price=order.price, quantity=order.remaining, **slots)
                return
        side = int(command["flags"]) & Flag.SELL
        self.answer(Kind.CANCEL_REJECTED, flags=side, reject=int(Reject.VENUE_ORDER_UNKNOWN), **slots)

    def place(self, command: np.void) -> None:
        order = Order(
            int(command["id"]), int(command["owner"]), int(command["flags"]) & Flag.SELL, int(command["order_type"]),
            int(command["time_in_force"]), int(command["price"]), int(command["quantity"]), int(command["time_ns"]),
        )  # fmt: skip
        if order.is_conditional:
            order.trigger, order.trail, order.since = int(command["trigger"]), int(command["display"]), self.now
            self.end(order, Kind.ORDER_ACCEPTED, 0, int(command["cause"]), id2=order.id, display=-1)
            self.orders.append(order)
            if self.price:
                self.watch(order, self.price)
            return
        self.take_in(order, int(command["cause"]))

    def watch(self, order: Order, price: int) -> None:
        """Hold a conditional order against a price; what is met acts after all that happens at this instant."""
        if order not in self.fired:
            order.follow(price)
            if order.is_met(price):
                self.fired.append(order)

    def act_fired(self) -> None:
        while self.fired:
            order = self.fired.pop(0)
            if order in self.orders:
                self.release(order, order.sent if order.since == self.now else self.now)
                self.after_release(order)

    def after_release(self, order: Order) -> None:
        """For a grade at which an order may trade on arrival."""

    def release(self, order: Order, sent: int) -> None:
        """A conditional order becomes an ordinary one of this moment."""
        self.orders.remove(order)
        self.end(order, Kind.ORDER_TRIGGERED, 0, 0, trigger=order.trigger, display=-1)
        limit = order.kind in (OrderType.STOP_LIMIT, OrderType.TAKE_PROFIT_LIMIT)
        order.kind = OrderType.LIMIT if limit else OrderType.MARKET
        order.triggered, order.sent = not limit, sent
        order.force = order.force if limit else TimeInForce.IOC
        self.take_in(order, 0, is_new=False)

    def take_in(self, order: Order, cause: int, is_new: bool = True) -> None:
        limit = order.kind == OrderType.LIMIT
        order.takes = limit and self.through(order.side, order.price, self.price)
        meets = limit and self.meets_own(order.side, order.price)
        if order.force == TimeInForce.POST_ONLY and (order.takes or meets):
            self.end(order, Kind.ORDER_REJECTED, Reject.VENUE_POST_ONLY_WOULD_TAKE, cause)
            return
        if is_new:
            self.end(order, Kind.ORDER_ACCEPTED, 0, cause, id2=order.id, display=-1)
        if meets:
            self.end(order, Kind.ORDER_CANCELLED, Reject.VENUE_SELF_TRADE, cause)
        else:
            self.orders.append(order)

    def offer(self, price: int, sent_max: float) -> None:
        """One price to all that wait for one."""
        for order in [one for one in self.orders if one.waits and one.sent <= sent_max]:
            self.offer_one(order, price)

    def offer_one(self, order: Order, price: int) -> None:
        market = order.kind == OrderType.MARKET
        worse = ceil(Fraction(price * self.paid, FEE_SCALE))
        paid = order.price
        if market:
            paid = price + worse if order.side == BUY else max(price - worse, 1)
        if market and not order.triggered and (paid > order.price if order.side == BUY else paid < order.price):
            self.drop(order, Reject.VENUE_NO_LIQUIDITY)
            return
        lots = min(order.remaining, self.room) if market or self.through(order.side, order.price, price) else 0
        if lots and self.meets_own(order.side, paid):
            self.drop(order, Reject.VENUE_SELF_TRADE)
        elif order.force == TimeInForce.FOK and lots < order.remaining:
            self.drop(order, Reject.VENUE_FILL_OR_KILL_UNFILLED)
        else:
            self.fill(order, paid, lots, price, is_maker=False)
            if order.remaining and not market:
                self.drop(order, Reject.VENUE_NO_LIQUIDITY)

    def fill_limits(self, side: int, price: int, sent_max: float) -> None:
        for order in self.resting(side):
            if order.sent <= sent_max and self.through(side, order.price, price):
                self.fill(order, order.price, min(order.remaining, self.room), order.price, is_maker=not order.takes)

    def fill(self, order: Order, paid: int, lots: int, middle: int, is_maker: bool) -> None:
        if not lots:
            return
        self.room -= lots
        order.remaining -= lots
        if not order.remaining:
            self.orders.remove(order)
        self.trades += 1
        in_base = self.fee_in_base and order.side == BUY
        amount = ceil(lots * self.base_value) if in_base else ceil(paid * lots * self.value)
        fee = ceil(Fraction(amount * (self.maker if is_maker else self.taker), FEE_SCALE))
        self.answer(
            Kind.ORDER_FILLED, id=order.id, owner=order.strategy, price=paid, quantity=lots, trade_id=self.trades,
            flags=order.side | (Flag.MAKER if is_maker else 0), parent=order.remaining, trigger=2 * middle, fee=fee,
            fee_asset=self.base if in_base else self.quote,
        )  # fmt: skip

    def drop(self, order: Order, why: int) -> None:
        self.orders.remove(order)
        self.end(order, Kind.ORDER_CANCELLED, why, 0)

    def end(self, order: Order, kind: int, why: int, cause: int, **slots: int) -> None:
        self.answer(
            kind, id=order.id, owner=order.strategy, flags=order.side, price=order.price, quantity=order.remaining,
            reject=int(why), cause=cause, **slots,
        )  # fmt: skip

    def answer(self, kind: int, **slots: int) -> None:
        fact = np.zeros(1, dtype=FACT_DTYPE)
        fact["kind"] = fact["kind2"] = kind
        fact["flags2"] = Flag.CONT
        fact["time_ns"], fact["venue_ns"] = self.now + self.answer_ns, self.now
        fact["instrument"] = 1
        for name, value in slots.items():
            fact[name] = value
        self.answers.append(fact)

    def take_answers(self) -> np.ndarray:
        """Facts since the last call, as an array of FACT_DTYPE."""
        answers, self.answers = self.answers, []
        return np.concatenate(answers) if answers else np.zeros(0, dtype=FACT_DTYPE)


def share(volume: int, participation: int) -> int:
    """Whole lots of a volume, rounded down."""
    return floor(Fraction(volume * participation, FEE_SCALE))
