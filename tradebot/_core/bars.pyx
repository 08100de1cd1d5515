"""Time bars: trades of one instrument by receive time, labelled with their open time.

A bar closes when its timer fires, on the grid of its interval counted from 1970, trade or no trade. An interval without a
trade gives a bar of the last close and no volume, once there was a first trade; before it there is no bar.
A trade belongs to the interval in which it was received; nothing that a strategy could not know yet gets into a bar.
"""

from tradebot._core.indicators cimport Atr, Ema, Indicator, Sma
from tradebot._core.instrument cimport price_of, quantity_of


cdef class BarSeries:
    """The closed bars of one interval, and the indicators that follow them. Made by `Strategy.bars`."""

    def __cinit__(self):
        self.indicators = []

    cdef int add_trade(self, int64_t price, int64_t quantity) noexcept:
        if self.building.trades == 0:
            self.building.open = self.building.high = self.building.low = price
        if price > self.building.high:
            self.building.high = price
        if price < self.building.low:
            self.building.low = price
        self.building.close = price
        self.building.volume += quantity
        self.building.trades += 1
        return 0

    cdef int close_bar(self, int64_t close_ns) except -1:
        """End the interval at `close_ns`. Returns 1 where a bar came of it."""
        cdef int64_t last = self.building.close
        cdef Indicator indicator
        if last == 0:
            return 0
        if self.building.trades == 0:
            self.building.open = self.building.high = self.building.low = last
        self.building.close_ns = close_ns
        self.building.open_ns = close_ns - self.interval_ns
        self.closed = self.building
        self.building.volume = self.building.trades = 0
        self.count += 1
        for indicator in self.indicators:
            indicator.update_bar(
                price_of(self.terms, self.closed.high),
                price_of(self.terms, self.closed.low),
                price_of(self.terms, last),
            )
        return 1

    def sma(self, period: int) -> Sma:
        """Simple mean of the last `period` closes."""
        return self._follow(Sma(period))

    def ema(self, period: int) -> Ema:
        """Exponential mean of closes."""
        return self._follow(Ema(period))

    def atr(self, period: int) -> Atr:
        """Wilder's average true range."""
        return self._follow(Atr(period))

    def _follow(self, indicator):
        if self.count:
            raise RuntimeError("indicators are declared in on_start, before the first bar")
        self.indicators.append(indicator)
        return indicator

    @property
    def open(self) -> float:
        """Of the last closed bar, in quote units; 0 before there is one."""
        return price_of(self.terms, self.closed.open)

    @property
    def high(self) -> float:
        return price_of(self.terms, self.closed.high)

    @property
    def low(self) -> float:
        return price_of(self.terms, self.closed.low)

    @property
    def close(self) -> float:
        return price_of(self.terms, self.closed.close)

    @property
    def volume(self) -> float:
        """Of the last closed bar, in base units."""
        return quantity_of(self.terms, self.closed.volume)

    def state(self) -> list:
        """Plain data that `restore` takes: both bars, the count, and each indicator's state."""
        return [
            bar_to_list(&self.building),
            bar_to_list(&self.closed),
            self.count,
            self.timer,
            [indicator.state() for indicator in self.indicators],
        ]

    def restore(self, state: list) -> None:
        assert len(state[4]) == len(self.indicators)
        bar_from_list(&self.building, state[0])
        bar_from_list(&self.closed, state[1])
        self.count = state[2]
        self.timer = state[3]
        for indicator, saved in zip(self.indicators, state[4], strict=True):
            indicator.restore(saved)


cdef list bar_to_list(const BarC* bar):
    return [bar.open_ns, bar.close_ns, bar.open, bar.high, bar.low, bar.close, bar.volume, bar.trades]


cdef int bar_from_list(BarC* bar, object state) except -1:
    bar.open_ns, bar.close_ns, bar.open, bar.high, bar.low, bar.close, bar.volume, bar.trades = state
    return 0
