"""The simulated venue at trade grade in plain Python: the rules at the head of _core/by_trades, read straight."""

import math

import numpy as np

from tests.reference.price_simulator import BUY, SELL, ReferencePriceSimulator
from tradebot._core.types import Kind


class ReferenceTradeSimulator(ReferencePriceSimulator):
    def event(self, record: np.void, kind: int, flags: int) -> None:
        if kind != Kind.TRADE or record["price"] <= 0:
            return
        self.room = int(record["quantity"])
        self.offer(self.last, math.inf)
        self.fill_limits(BUY, self.last, math.inf, math.inf)
        self.fill_limits(SELL, self.last, math.inf, math.inf)
