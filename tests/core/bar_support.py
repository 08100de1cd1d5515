"""Facts of bars, and a strategy that writes down the bars it is told."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from tests.strategies.support import SECOND, START, book, row, run
from tradebot._core.types import Kind
from tradebot.strategies.strategy import Strategy


class Follows(Strategy):
    """Follows series, and writes down each bar that it is told, in ticks and lots."""

    def __init__(self, *calls: dict[str, Any], tick: float = 0.5, lot: float = 0.001) -> None:
        super().__init__()
        self.calls, self.steps = calls, (tick, lot)
        self.told: list[tuple[Any, ...]] = []
        self.restated: list[tuple[Any, ...]] = []
        self.times: list[int] = []

    def on_start(self) -> None:
        self.followed = [self.bars(**call) for call in self.calls]

    def on_bar(self, bar) -> None:
        tick, lot = self.steps
        prices = [round(one / tick) for one in (bar.open, bar.high, bar.low, bar.close)]
        found = (bar.open_ns, bar.close_ns, *prices, round(bar.volume / lot), bar.trades)
        (self.restated if bar.restated else self.told).append(found)
        self.times.append(self.time_ns)

    def seconds(self) -> list[tuple[float, float]]:
        """Label and end of each bar told, in seconds from the start."""
        return [((one[0] - START) / SECOND, (one[1] - START) / SECOND) for one in self.told]


def trade(seconds: float, price: int = 201, lots: int = 1, venue: float | None = None, number: int = 0) -> np.ndarray:
    shown = seconds if venue is None else venue
    return row(seconds, Kind.TRADE, price, lots, venue_ns=START + int(shown * SECOND), venue_sequence=number)


def stored(
    label: float, seconds: float | None = None, prices: Sequence[int] = (200, 203, 199, 201), lots: int = 5,
    interval: int = 1, flags: int = 0,
) -> np.ndarray:  # fmt: skip
    """A stored bar of `interval` seconds; received at its end unless `seconds` says when."""
    received = label + interval if seconds is None else seconds
    first, high, low, close = prices
    slots = {"venue_sequence": first, "id2": low, "owner": interval, "venue_ns": START + int(label * SECOND)}
    return row(received, Kind.BAR, close, lots, high, flags, **slots)


def end(seconds: float) -> np.ndarray:
    """A fact that lets time pass and belongs to no bar."""
    return row(seconds, Kind.GAP)


def follow(call: dict[str, Any], *rows: np.ndarray) -> Follows:
    follows = Follows(call)
    merge = run(follows, [*book(), *rows])
    assert merge.kernel.failures == []
    return follows
