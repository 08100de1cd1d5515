"""Moving averages that cross, on bars of 5 seconds by default: the smallest strategy that shows bars, indicators and positions.

It is an example of the face, not of an edge: it takes liquidity, and what it gains it pays in spread and fees.
"""

from tradebot._core.views import BarView, FillView
from tradebot.strategies.strategy import Int, Real, Strategy, Struct


class Crossover(Strategy):
    """Long when the fast mean crosses above the slow one, flat when it crosses below."""

    class Params(Struct, frozen=True, forbid_unknown_fields=True):
        fast: Int[2, 50] = 6
        slow: Int[5, 200] = 24
        interval: str = "5s"
        """Of the bars."""
        notional: Real[1e-6, 1e9] = 1000.0
        """Quote units per entry."""
        stop_atr: Real[0.5, 20.0] = 4.0
        """Leave when the close falls this many ATR below the entry."""

    class State(Struct):
        entries: int = 0
        entry_price: float = 0.0

    def on_start(self) -> None:
        bars = self.bars(self.params.interval, warmup=self.params.slow)
        self.fast = bars.ema(self.params.fast)
        self.slow = bars.sma(self.params.slow)
        self.atr = bars.atr(14)

    def on_bar(self, bar: BarView) -> None:
        if self.open_orders():
            return
        if self.position.flat:
            if self.fast.crossed_above(self.slow):
                self.state.entries += 1
                self.buy(notional=self.params.notional)
        elif self.fast.crossed_below(self.slow) or bar.close < self.state.entry_price - self.params.stop_atr * self.atr:
            self.close()

    def on_fill(self, fill: FillView) -> None:
        if not fill.is_sell:
            self.state.entry_price = fill.price
