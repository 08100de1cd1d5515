"""The simulated venue at bar grade in plain Python: the rules of _core/by_bars and _core/bar_triggers, read straight."""

import math

import numpy as np

from tests.reference.price_simulator import BUY, SELL, ReferencePriceSimulator, share
from tests.reference.simulator import Own, Waiting
from tradebot._core.types import Flag, Kind


class ReferenceBarSimulator(ReferencePriceSimulator):
    participation = 10**7

    def __init__(self, *arguments: int) -> None:
        super().__init__(*arguments)
        self.opened: int | None = None
        self.path: list[tuple[int, int]] = []

    def market(self, record: np.void) -> None:
        """Bars at their close; trades and marks of a bar at their venue time."""
        kind, is_bar = int(record["kind"]), record["kind"] == Kind.BAR
        now = int(record["time_ns" if is_bar else "venue_ns"])
        if is_bar:
            self.range(record, now)
            return
        self.advance(now - 1)
        self.come_to(now)
        if record["flags"] & Flag.VOID:
            return
        if kind == Kind.TRADE and self.waiting:
            self.path.append((now, int(record["price"])))
        elif kind == Kind.MARK and record["price"]:
            self.mark = int(record["price"])
            self.watch(self.mark, by_mark=True)

    def arrive(self, own: Own, reach: int, kind: int, cause: int) -> None:
        """What was sent before the bar under way opened trades at that open."""
        sent = own.sent
        self.take_in(own, kind, cause)
        if self.opened is not None and sent <= self.opened:
            self.offer_open()

    def act_at(self, one: Waiting, price: int) -> None:
        """A met order trades at `price` what there is room for."""
        own = self.release(one)
        own.sent = self.now
        self.take_in(own, 0, 0)
        if own in self.for_now:
            self.offer_one(own, price)

    def open(self, bar: np.void, now: int) -> None:
        self.advance(now - 1)
        self.come_to(now)
        before, self.opened, self.last = self.trades, now, int(bar["venue_sequence"])
        self.room = share(int(bar["quantity"]), self.participation)
        self.path = [step for step in self.path if step[0] >= now]
        for one in self.watching():
            if one not in self.waiting:
                continue
            if one.is_met(self.last):
                self.act_at(one, worse(one, self.last))
            else:
                one.follow(self.last)
        self.offer_open()
        if self.trades != before:
            self.trim()

    def offer_open(self) -> None:
        assert self.opened is not None
        self.offer(self.last, self.opened)
        self.fill_limits(BUY, self.last, self.opened, math.inf)
        self.fill_limits(SELL, self.last, self.opened, math.inf)

    def range(self, bar: np.void, now: int) -> None:
        self.advance(now - 1)
        self.come_to(now)
        assert self.opened is not None
        before, low, high, close = self.trades, int(bar["id2"]), int(bar["id"]), int(bar["price"])
        if self.path and self.waiting:
            self.walk()
        elif self.waiting:
            self.meet_range(low, high, close)
        self.fill_limits(BUY, low, self.opened, math.inf)
        self.fill_limits(SELL, high, self.opened, math.inf)
        self.last, self.opened = close, None
        if self.trades != before:
            self.trim()

    def meet_range(self, low: int, high: int, close: int) -> None:
        """Stops by the adverse end, then trailing ones by the close once they have followed, then targets."""
        for one in self.watching():
            if one in self.waiting and not one.is_target and one.is_met(high if one.side == BUY else low):
                self.act_at(one, one.trigger)
        for one in self.watching():
            if one in self.waiting and one.trail:
                one.follow(low if one.side == BUY else high)
                if one.is_met(close):
                    self.act_at(one, one.trigger)
        for one in self.watching():
            in_time = one.parent or one.sent <= (self.opened or 0)
            if one in self.waiting and one.is_target and in_time and one.is_met(low if one.side == BUY else high):
                self.act_at(one, one.trigger)

    def walk(self) -> None:
        """The trades of the bar, in their order."""
        assert self.opened is not None
        for time_ns, price in self.path:
            for one in self.watching():
                if one not in self.waiting or one.since > time_ns:
                    continue
                if one.is_met(price):
                    self.act_at(one, worse(one, price))
                else:
                    one.follow(price)
            for side in (BUY, SELL):
                self.fill_limits(side, price, self.opened, time_ns - self.order_ns)


def worse(one: Waiting, price: int) -> int:
    return max(one.trigger, price) if one.side == BUY else min(one.trigger, price)
