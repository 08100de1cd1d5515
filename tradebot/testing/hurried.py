"""A strategy that trades by the clock: in a market where little happens an order is still under way whenever a process dies."""

from typing import Any

from tradebot.testing.simulation import Restless

STEP_NS = 100_000_000


class Hurried(Restless):
    """`Restless` that acts ten times a second, too."""

    def on_start(self) -> None:
        self.every(STEP_NS)

    def on_timer(self, timer: Any) -> None:
        self.act()
