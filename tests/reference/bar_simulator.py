"""The simulated venue at bar grade in plain Python: the rules at the head of _core/by_bars, read straight."""

import numpy as np

from tests.reference.price_simulator import BUY, SELL, ReferencePriceSimulator, share


class ReferenceBarSimulator(ReferencePriceSimulator):
    participation = 10**7

    def __init__(self, *arguments: int) -> None:
        super().__init__(*arguments)
        self.opened: int | None = None

    def open(self, bar: np.void, now: int) -> None:
        self.now = self.opened = now
        self.price = int(bar["venue_sequence"])
        self.room = share(int(bar["quantity"]), self.participation)
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
        self.fill_limits(BUY, int(bar["id2"]), self.opened)
        self.fill_limits(SELL, int(bar["id"]), self.opened)
        self.price, self.opened = int(bar["price"]), None
