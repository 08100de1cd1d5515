"""Bars: what was traded in an interval, or in a run of trades, shown once it is over and not before.

A strategy sees closed bars only. A series has no property that tells of the bar that is building, so a slow series can be read
from the callbacks of a fast one without seeing what is to come. These are the rules:

**By time of receipt** (the default). A trade belongs to the interval in which we received it. The bar closes when its timer
fires, on the grid of its interval counted from 1970, before any fact of that instant: a bar is [open, close). Nothing that
a strategy could not know yet gets into it, so it is complete when it closes: there is no late trade and no restatement.

**By venue time.** A trade belongs to the interval in which the venue says it happened, so that bars equal the venue's own
candles. Such a bar closes when the time of receipt passes its end by `grace`, to let the last trades arrive. Open and close are
the first and the last trade by venue time, then by trade number. A venue time that is unknown, or more than an interval
ahead of its receipt, is read as the receipt.

**By size.** A bar of N trades, of a volume in base units, or of a notional in quote units closes with the trade that brings
it there, before that trade is told. A trade that overfills it is not split: the bar overshoots, and the next begins at
nothing. So each trade is in one bar, its price was traded in each bar, sums over bars are sums over trades, and a huge
trade gives one bar, where splitting would give a thousand callbacks with one price. Its label is the receipt of its first
trade; its end that of its last.

**The label** is the open time. **An interval without a trade** gives a bar of the last close and no volume, once there was a first
trade; before it there is no bar. The first bar may be a part of its interval: that of the trades since the start.

**Stored bars** (BAR facts) build bars by time where a series has them for its source: named, or found, in that the first trade or
BAR fact of the instrument decides. They must divide the interval, else the series is refused. A bar is closed by the stored
bar that completes it, at the earliest at its own end; else by one of a later interval; else, in silence, an interval
after its end. `trades` then counts stored bars.

**Late facts**: a trade by venue time, or a stored bar, for an interval that is closed; also a stored bar that says it is RESTATED.
The closed bar does not change under the strategy's feet, and no indicator is written again: what was decided on, stands. It is
counted in `late`. Only where `restatements` were asked for, and at most 16 intervals after the close, `on_bar` is told the
restated bar at once, with `restated` true. A late fact is never moved into the interval in which it came.

Where intervals of several series end at one instant, they close in the order of declaration.
"""

from tradebot._core.indicators cimport Atr, Bollinger, Ema, Highest, Indicator, Lowest, Macd, Rsi, Sma, Stochastic, Wma
from tradebot._core.instrument cimport INVERSE, InstrumentC, add, muldiv_carry, price_of, quantity_of
from tradebot._core.intervals cimport bar_add_trade, bar_from_list, bar_repeat, bar_to_list, interval_code, intervals_add_trade, intervals_close, intervals_compose, intervals_drop, intervals_from_list, intervals_put_bar, intervals_to_list
from tradebot._core.types cimport Kind, RecordC

cdef int64_t NS_PER_SECOND = 1_000_000_000


cdef class BarSeries:
    """The closed bars of one instrument, and the indicators that follow them. Made by `Strategy.bars`."""

    def __cinit__(self):
        self.indicators = []

    def __init__(self):
        raise TypeError("a BarSeries is declared in on_start, by self.bars(...)")

    def __dealloc__(self):
        intervals_close(&self.intervals)

    cdef int source_is(self, int64_t part_ns) except -1:
        """Build from stored bars of `part_ns`, or from trades where it is 0. Raises ValueError where it cannot."""
        if part_ns == 0:
            self.source = SOURCE_TRADES
            self.part_ns = self.interval_ns
            return 0
        if self.interval_ns == 0:
            raise ValueError("bars by ticks, volume or notional are built from trades, and there are stored bars only")
        if self.interval_ns % part_ns:
            raise ValueError(
                f"expected stored bars that divide an interval of {self.interval_ns} ns, found bars of {part_ns} ns; "
                "ask for a multiple of these"
            )
        self.source = SOURCE_BARS
        self.part_ns = part_ns
        self.part_code = interval_code(part_ns)
        return 0

    cdef int take(self, const RecordC* record) except -1:
        """Take in a trade or a stored bar. Returns 1 where `next_bar` may have one.

        Raises ValueError where the series cannot be built from what comes.
        """
        if record.kind == Kind.BAR:
            return self.take_stored(record)
        if self.source != SOURCE_TRADES:
            if self.source == SOURCE_BARS:
                return 0
            self.source_is(0)
        if self.kind == BY_RECEIPT:
            return bar_add_trade(&self.building, record.price, record.quantity)
        if self.kind == BY_VENUE:
            return self.take_by_venue(record)
        return self.take_by_size(record)

    cdef int take_by_venue(self, const RecordC* trade) except -1:
        cdef int64_t venue_ns = trade.venue_ns, oldest_ns
        if venue_ns <= 0 or venue_ns > trade.time_ns + self.interval_ns:
            venue_ns = trade.time_ns
        oldest_ns = trade.time_ns - self.grace_ns - RESTATED_INTERVALS_MAX * self.interval_ns
        if (venue_ns < self.closed_ns or venue_ns < oldest_ns) and not self.restate_later(venue_ns):
            return 0
        intervals_add_trade(&self.intervals, trade, venue_ns, self.part_ns)
        return self.late_ns != 0

    cdef int take_by_size(self, const RecordC* trade) except -1:
        cdef int overflow = 0
        cdef int64_t step = 1
        if self.building.trades == 0:
            self.building.open_ns = trade.time_ns
        self.building.close_ns = trade.time_ns
        bar_add_trade(&self.building, trade.price, trade.quantity)
        if self.kind == BY_VOLUME:
            step = trade.quantity
        elif self.kind == BY_NOTIONAL:
            step = notional_of(trade, self.terms, &self.reached_left, &overflow)
        add(&self.reached, step, &overflow)
        if overflow:
            raise OverflowError(f"the notional of a bar is beyond 64 bits, after {self.building.trades} trades")
        if self.reached >= self.threshold:
            self.upto_ns = trade.time_ns
        return self.upto_ns != 0

    cdef int take_stored(self, const RecordC* stored) except -1:
        cdef int64_t label = stored.venue_ns, open_ns, whole_ns
        if self.source == SOURCE_TRADES:
            return 0
        if self.source == SOURCE_UNDECIDED:
            self.adopt(stored)
        if stored.owner != self.part_code:
            return 0
        if label <= 0 or label % self.part_ns or label > stored.time_ns:
            raise ValueError(
                f"expected a stored bar of {self.part_ns} ns that opens on the grid, before it is received; found one that "
                f"opens at {label} ns and is received at {stored.time_ns} ns"
            )
        if label < self.closed_ns:
            if not self.restate_later(label):
                return 0
            if not intervals_put_bar(&self.intervals, stored, self.part_ns):
                self.late_ns = 0
            return self.late_ns != 0
        intervals_put_bar(&self.intervals, stored, self.part_ns)
        open_ns = label - label % self.interval_ns
        self.upto_ns = open_ns + self.interval_ns if label + self.part_ns == open_ns + self.interval_ns else open_ns
        whole_ns = stored.time_ns - stored.time_ns % self.interval_ns
        if self.upto_ns > whole_ns:
            self.upto_ns = whole_ns
        return 1

    cdef int adopt(self, const RecordC* stored) except -1:
        """The first fact is a stored bar: its interval is the source's."""
        if stored.owner == 0 and self.interval_ns:
            raise ValueError('the stored bars do not say their interval: name it, as in self.bars("1d", source="1d")')
        return self.source_is(stored.owner * NS_PER_SECOND or NS_PER_SECOND)

    cdef int restate_later(self, int64_t label) noexcept:
        """Count a late fact; returns 1 where its interval is to be restated."""
        cdef int64_t open_ns = label - label % self.interval_ns
        self.late += 1
        if not self.restatements or self.closed_ns == 0 or open_ns < self.begun_ns or open_ns < self.kept_ns():
            return 0
        self.late_ns = open_ns
        return 1

    cdef int fire(self, int64_t due_ns) noexcept:
        """The timer of the series fired."""
        self.upto_ns = due_ns - self.grace_ns
        if self.source == SOURCE_BARS:
            self.upto_ns -= self.interval_ns
        return 0

    cdef int next_bar(self) except -1:
        """Bring out the next bar that is due, as `told`. Returns 0 where none is left."""
        if self.late_ns:
            return self.restate()
        if self.upto_ns <= 0:
            self.upto_ns = 0
            return 0
        if self.kind == BY_VENUE or self.source == SOURCE_BARS:
            return self.close_slots()
        if self.kind == BY_RECEIPT:
            return self.close_received()
        return self.close_sized()

    cdef int close_received(self) except -1:
        cdef int64_t close_ns = self.upto_ns
        self.upto_ns = 0
        if self.building.close == 0:
            return 0
        self.building.close_ns = close_ns
        self.building.open_ns = close_ns - self.interval_ns
        if self.building.trades == 0:
            bar_repeat(&self.building)
        return self.come_out()

    cdef int close_sized(self) except -1:
        self.upto_ns = self.reached = self.reached_left = 0
        return self.come_out()

    cdef int close_slots(self) except -1:
        cdef int64_t open_ns = self.next_open()
        if open_ns == 0 or open_ns + self.interval_ns > self.upto_ns:
            self.upto_ns = 0
            return 0
        if not intervals_compose(&self.intervals, open_ns, open_ns + self.interval_ns, &self.building):
            bar_repeat(&self.building)
        if self.begun_ns == 0:
            self.begun_ns = open_ns
        self.closed_ns = open_ns + self.interval_ns
        intervals_drop(&self.intervals, self.kept_ns())
        return self.come_out()

    cdef int64_t next_open(self) noexcept:
        """Open time of the interval that closes next; 0 where nothing came yet. A silence beyond the limit is passed over."""
        cdef uint32_t at
        cdef int64_t open_ns
        if self.closed_ns and (self.upto_ns - self.closed_ns) / self.interval_ns <= SILENT_INTERVALS_MAX:
            return self.closed_ns
        for at in range(self.intervals.count):
            open_ns = self.intervals.items[at].bar.open_ns
            if open_ns >= self.closed_ns:
                return open_ns - open_ns % self.interval_ns
        return 0

    cdef int64_t kept_ns(self) noexcept:
        """Slots from here on are kept for what is yet to close, and for restatements."""
        return self.closed_ns - (RESTATED_INTERVALS_MAX * self.interval_ns if self.restatements else 0)

    cdef int restate(self) except -1:
        intervals_compose(&self.intervals, self.late_ns, self.late_ns + self.interval_ns, &self.told)
        self.late_ns = 0
        self.restated = 1
        return 1

    cdef int come_out(self) except -1:
        """The building bar is closed: tell indicators, and begin another."""
        cdef Indicator indicator
        cdef double high = price_of(self.terms, self.building.high)
        cdef double low = price_of(self.terms, self.building.low)
        cdef double close = price_of(self.terms, self.building.close)
        self.closed = self.told = self.building
        self.restated = 0
        self.building.volume = self.building.trades = 0
        self.count += 1
        for indicator in self.indicators:
            indicator.update_bar(high, low, close)
        return 1

    def sma(self, period: int) -> Sma:
        """Simple mean of the last `period` closes."""
        return self._follow(Sma(period))

    def wma(self, period: int) -> Wma:
        """Mean of the last `period` closes, the younger the heavier."""
        return self._follow(Wma(period))

    def ema(self, period: int) -> Ema:
        """Exponential mean of closes."""
        return self._follow(Ema(period))

    def atr(self, period: int = 14) -> Atr:
        """Wilder's average true range, in quote units."""
        return self._follow(Atr(period))

    def rsi(self, period: int = 14) -> Rsi:
        """Wilder's relative strength of closes, 0 to 100."""
        return self._follow(Rsi(period))

    def macd(self, fast: int = 12, slow: int = 26, signal: int = 9) -> Macd:
        """Fast less slow exponential mean: `.macd`, `.signal`, `.histogram`."""
        return self._follow(Macd(fast, slow, signal))

    def bollinger(self, period: int = 20, width: float = 2.0) -> Bollinger:
        """Mean of closes and bands of `width` deviations: `.upper`, `.middle`, `.lower`."""
        return self._follow(Bollinger(period, width))

    def stochastic(self, period: int = 14, smooth: int = 3, signal: int = 3) -> Stochastic:
        """Where the close lies between the extremes of `period` bars, 0 to 100: `.k`, `.d`."""
        return self._follow(Stochastic(period, smooth, signal))

    def highest(self, period: int) -> Highest:
        """Highest high of the last `period` bars, in quote units."""
        return self._follow(Highest(period))

    def lowest(self, period: int) -> Lowest:
        """Lowest low of the last `period` bars, in quote units."""
        return self._follow(Lowest(period))

    def _follow(self, indicator):
        if not self.context.starting:
            raise RuntimeError("indicators are declared in on_start, so that they are the same after a restart")
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

    @property
    def trades(self) -> int:
        """Trades, or stored bars, that the last closed bar is made of; 0 where its interval was empty."""
        return self.closed.trades

    @property
    def open_ns(self) -> int:
        """Label of the last closed bar; 0 before there is one."""
        return self.closed.open_ns

    @property
    def close_ns(self) -> int:
        """End of the last closed bar, never after now; 0 before there is one."""
        return self.closed.close_ns

    def state(self) -> list:
        """Plain data that `restore` takes: both bars, what has come for the next ones, and each indicator's state."""
        return [
            bar_to_list(&self.building),
            bar_to_list(&self.closed),
            self.count,
            self.timer,
            [indicator.state() for indicator in self.indicators],
            [self.source, self.part_ns, self.part_code],
            [self.begun_ns, self.closed_ns, self.late],
            [self.reached, self.reached_left],
            intervals_to_list(&self.intervals),
        ]

    def restore(self, state: list) -> None:
        """Take back what `state` gave, into a series declared alike."""
        if len(state[4]) != len(self.indicators):
            raise ValueError(f"a bar series has {len(self.indicators)} indicators, the snapshot holds {len(state[4])}")
        bar_from_list(&self.building, state[0])
        bar_from_list(&self.closed, state[1])
        self.count = state[2]
        self.timer = state[3]
        for indicator, saved in zip(self.indicators, state[4], strict=True):
            indicator.restore(saved)
        self.source, self.part_ns, self.part_code = state[5]
        self.begun_ns, self.closed_ns, self.late = state[6]
        self.reached, self.reached_left = state[7]
        intervals_from_list(&self.intervals, state[8])


cdef inline int64_t notional_of(const RecordC* trade, const InstrumentC* terms, int64_t* carry, int* overflow) noexcept nogil:
    """Money units of quote, the rest carried."""
    if terms.kind == INVERSE:
        return muldiv_carry(trade.quantity, 1, terms.base_num, terms.base_den, carry, overflow)
    return muldiv_carry(trade.price, trade.quantity, terms.value_num, terms.value_den, carry, overflow)
