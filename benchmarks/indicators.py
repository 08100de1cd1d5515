"""What one update of an indicator costs when Python calls it, bar by bar; a series moves its own without Python, for less.

The time of the bare loop is taken off. The checksum is the sum of all values, so that nothing can be left out.

Run: python -m benchmarks.indicators [updates]
"""

import math
import sys
import time
from collections.abc import Callable

import numpy as np

from tradebot._core.indicators import Atr, Bollinger, Ema, Highest, Indicator, Macd, Rsi, Sma, Stochastic, Wma

FULL = 1_000_000
ROUNDS = 5

# Beside the figure of nautilus_trader 1.231.0 for the same indicator, taken on another day: a map, not a race.
CASES: list[tuple[Callable[[], Indicator], float | None]] = [
    (lambda: Ema(20), 31), (lambda: Rsi(14), 57), (lambda: Macd(12, 26, 9), 44), (lambda: Sma(20), 1_654),
    (lambda: Atr(14), 1_606), (lambda: Bollinger(20, 2.0), 3_270), (lambda: Wma(20), None),
    (lambda: Stochastic(14, 3, 3), None), (lambda: Highest(20), None),
]  # fmt: skip

Bars = list[tuple[float, float, float]]  # high, low, close


def measure(updates: int) -> list[dict[str, object]]:
    """Nanoseconds an update, over seeded bars."""
    bars = make_bars(updates)
    idle = min(_loop(bars) for _ in range(ROUNDS))
    rows: list[dict[str, object]] = []
    for make, peer_ns in CASES:
        cost = min(_updates(make(), bars) for _ in range(ROUNDS)) - idle
        name = repr(make()).partition("=")[0]
        rows.append({"what": name, "ns": cost / updates, "peer_ns": peer_ns, "checksum": _sum(make(), bars)})
    return rows


def make_bars(count: int) -> Bars:
    closes = 100.0 + np.random.default_rng(1).normal(0.0, 0.01, count).cumsum()
    return [(close + 0.1, close - 0.1, close) for close in closes.tolist()]


def _loop(bars: Bars) -> int:
    started = time.perf_counter_ns()
    for _high, _low, _close in bars:
        pass
    return time.perf_counter_ns() - started


def _updates(indicator: Indicator, bars: Bars) -> int:
    update = indicator.update_one
    started = time.perf_counter_ns()
    for high, low, close in bars:
        update(high, low, close)
    return time.perf_counter_ns() - started


def _sum(indicator: Indicator, bars: Bars) -> float:
    values = (indicator.update_one(*bar) for bar in bars)
    return sum(value for value in values if not math.isnan(value))


def main() -> None:
    for row in measure(int(sys.argv[1]) if len(sys.argv) > 1 else FULL):
        peer = f" (nautilus v1: {row['peer_ns']:,})" if row["peer_ns"] else ""
        print(f"indicator, {row['what']}: {row['ns']:.1f} ns an update{peer}, checksum {row['checksum']:.6f}")


if __name__ == "__main__":
    main()
