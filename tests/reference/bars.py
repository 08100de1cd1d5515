"""The plainest builder of time bars: a dict of label to bar, one trade at a time, in integers.

A bar is labelled by its open time and covers [label, label + interval). An interval without a trade has no
bar. Volume counts lots. Trades of one instant are taken in the order in which they come.
"""

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass
class Bar:
    label_ns: int
    open: int
    high: int
    low: int
    close: int
    volume: int


def time_bars(trades: Iterable[tuple[int, int, int]], interval_ns: int) -> list[Bar]:
    """From (time_ns, price in ticks, quantity in lots), in order; bars in the order of their labels."""
    bars: dict[int, Bar] = {}
    for time_ns, price, quantity in trades:
        label_ns = time_ns - time_ns % interval_ns
        bar = bars.setdefault(label_ns, Bar(label_ns, price, price, price, price, 0))
        bar.high = max(bar.high, price)
        bar.low = min(bar.low, price)
        bar.close = price
        bar.volume += quantity
    return [bars[label_ns] for label_ns in sorted(bars)]
