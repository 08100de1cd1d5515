"""The simulated venue at trade grade in plain Python: the rules at the head of _core/by_trades, read straight."""

import math

import numpy as np

from tests.reference.price_simulator import BUY, SELL, ReferencePriceSimulator


class ReferenceTradeSimulator(ReferencePriceSimulator):
    def trade(self, trade: np.void, now: int) -> None:
        self.now, self.price, self.room = now, int(trade["price"]), int(trade["quantity"])
        for order in [one for one in self.orders if one.is_conditional]:
            self.watch(order, self.price)
        self.offer(self.price, math.inf)
        self.fill_limits(BUY, self.price, math.inf)
        self.fill_limits(SELL, self.price, math.inf)
