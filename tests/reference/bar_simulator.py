"""The simulated venue at bar grade in plain Python: the rules of _core/by_bars and _core/bar_triggers, read straight.

No groups of guards, and no trades inside a bar: these have worked examples of their own.
"""

import numpy as np

from tests.reference.price_simulator import BUY, SELL, Order, ReferencePriceSimulator, share


class ReferenceBarSimulator(ReferencePriceSimulator):
    participation = 10**7

    def __init__(self, *arguments: int) -> None:
        super().__init__(*arguments)
        self.opened: int | None = None

    def conditionals(self) -> list[Order]:
        return [one for one in self.orders if one.is_conditional and one not in self.fired]

    def act(self, order: Order, price: int) -> None:
        """Its order trades at `price` what there is room for."""
        self.release(order, self.now)
        if order in self.orders and order.is_for_now:
            self.offer_one(order, price)

    def after_release(self, order: Order) -> None:
        if self.opened is not None and order.sent <= self.opened:
            self.offer_open()

    def open(self, bar: np.void, now: int) -> None:
        self.now = self.opened = now
        self.price = int(bar["venue_sequence"])
        self.room = share(int(bar["quantity"]), self.participation)
        for order in self.conditionals():
            if order.is_met(self.price):
                self.act(order, (max if order.side == BUY else min)(order.trigger, self.price))
            else:
                order.follow(self.price)
        self.offer_open()

    def offer_open(self) -> None:
        assert self.opened is not None
        self.offer(self.price, self.opened)
        self.fill_limits(BUY, self.price, self.opened)
        self.fill_limits(SELL, self.price, self.opened)

    def command(self, command: np.void) -> None:
        super().command(command)
        if self.opened is not None and int(command["time_ns"]) <= self.opened:
            self.offer_open()

    def range(self, bar: np.void, now: int) -> None:
        assert self.opened is not None
        self.now = now
        low, high, close = int(bar["id2"]), int(bar["id"]), int(bar["price"])
        for order in self.conditionals():
            if not order.is_target and order.is_met(high if order.side == BUY else low):
                self.act(order, order.trigger)
        for order in self.conditionals():
            if order.trail:
                order.follow(low if order.side == BUY else high)
                if order.is_met(close):
                    self.act(order, order.trigger)
        for order in self.conditionals():
            if order.is_target and order.sent <= self.opened and order.is_met(low if order.side == BUY else high):
                self.act(order, order.trigger)
        self.fill_limits(BUY, low, self.opened)
        self.fill_limits(SELL, high, self.opened)
        self.price, self.opened = close, None
