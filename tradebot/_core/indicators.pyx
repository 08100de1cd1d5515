"""Indicators: floats begin here. Only + - * / and sqrt are used, so the same input gives the same bits on every machine.

IEEE 754 asks of sqrt what it asks of the four others: the exact result, rounded once. C's sqrt is that one; exp, log and
pow are not, and are absent.

Definitions are those of TA-Lib, which the tests hold as oracle values: an EMA starts with the simple mean of its first
`period` closes (weight 2 / (period + 1)); ATR and RSI are Wilder's (New Concepts in Technical Trading Systems, 1978): the
mean of the first `period` values, then (before * (period - 1) + now) / period; the first bar has no true range and no
change. The deviation of Bollinger's bands is that of the population. An indicator of several numbers shows all of them
from the same bar on: a MACD without its signal is not shown.

Two differences from TA-Lib are meant. Where there is nothing to compare (no change at all in an RSI, highest equal to
lowest in a Stochastic) TA-Lib says 0, which a strategy reads as "oversold" and buys in a dead market; here it is 50. And
TA-Lib takes a variance below 1e-14 for zero, which flattens the bands of everything that is quoted in small numbers.

An update costs the same whatever came before (Ema, Atr, Rsi, Macd), or one pass over `period` values (Sma, Wma,
Bollinger, Stochastic, Highest, Lowest). The latter could be had from running sums, but these keep the rounding errors of
every bar that ever left the window; a fresh pass depends on the window alone.

An indicator behaves as the float it holds in arithmetic and comparison, and is `nan` until it is ready.
"""

from libc.math cimport sqrt
from libc.stdlib cimport calloc, free
from libc.string cimport memset

cdef double NAN_VALUE = float("nan")
cdef double FLAT = 50.0                 # of an oscillator from 0 to 100 that has nothing to compare


cdef class Indicator:
    """One number per closed bar. `period` is in bars, at least 1."""

    def __init__(self, period: int):
        if period < 1:
            raise ValueError(f"expected a period of at least 1 bar, found {period}")
        self.period = period
        self.value_now = NAN_VALUE
        self.value_before = NAN_VALUE
        self.values = 0
        self.updates = 0

    cdef int update_bar(self, double high, double low, double close) except -1:
        raise TypeError(f"{type(self).__name__} takes no bars of its own")

    cdef int come_out(self, double value) noexcept:
        self.value_before = self.value_now
        self.value_now = value
        self.values += 1
        return 0

    def update_one(self, double high, double low, double close) -> float:
        """Take in one bar; returns the value, nan until ready."""
        self.update_bar(high, low, close)
        return self.value_now

    @property
    def value(self) -> float:
        """The value after the last closed bar; nan until ready."""
        return self.value_now

    @property
    def previous(self) -> float:
        """The value one bar earlier; nan until there is one."""
        return self.value_before

    @property
    def ready(self) -> bool:
        return self.values > 0

    def crossed_above(self, other) -> bool:
        """It was at or below `other`, an indicator or a number, one bar ago and is above it now.

        False until both have two values.
        """
        cdef double before, now
        values_of(other, &before, &now)
        return self.value_before <= before and self.value_now > now

    def crossed_below(self, other) -> bool:
        """It was at or above `other`, an indicator or a number, one bar ago and is below it now.

        False until both have two values.
        """
        cdef double before, now
        values_of(other, &before, &now)
        return self.value_before >= before and self.value_now < now

    def state(self) -> list:
        """Plain data that `restore` takes."""
        return [self.value_now, self.value_before, self.values, self.updates]

    def restore(self, state: list) -> None:
        self.value_now, self.value_before, self.values, self.updates = state[:4]

    def __float__(self):
        return self.value_now

    def __repr__(self):
        return f"{type(self).__name__}({self.period})={self.value_now!r}"

    def __add__(self, other):
        return float(self) + float(other)

    def __radd__(self, other):
        return float(other) + float(self)

    def __sub__(self, other):
        return float(self) - float(other)

    def __rsub__(self, other):
        return float(other) - float(self)

    def __mul__(self, other):
        return float(self) * float(other)

    def __rmul__(self, other):
        return float(other) * float(self)

    def __truediv__(self, other):
        return float(self) / float(other)

    def __rtruediv__(self, other):
        return float(other) / float(self)

    def __neg__(self):
        return -self.value_now

    def __lt__(self, other):
        return float(self) < float(other)

    def __le__(self, other):
        return float(self) <= float(other)

    def __gt__(self, other):
        return float(self) > float(other)

    def __ge__(self, other):
        return float(self) >= float(other)


cdef int values_of(object other, double* before, double* now) except -1:
    """The last two values of what an indicator is compared with; a number has always been what it is."""
    if isinstance(other, Indicator):
        before[0] = (<Indicator>other).value_before
        now[0] = (<Indicator>other).value_now
    else:
        before[0] = now[0] = other
    return 0


cdef class Line(Indicator):
    """One of the numbers of an indicator that has several; moved by that indicator."""


cdef class Sma(Indicator):
    """The mean of the last `period` closes, summed afresh each time, so that no error builds up."""

    def __init__(self, period: int):
        super().__init__(period)
        window_open(&self.closes, self.period)

    def __dealloc__(self):
        free(self.closes.items)

    cdef int update_bar(self, double high, double low, double close) except -1:
        window_put(&self.closes, close)
        self.updates += 1
        if self.updates < self.period:
            return 0
        return self.come_out(window_mean(&self.closes))

    def state(self) -> list:
        return [*super().state(), window_to_list(&self.closes)]

    def restore(self, state: list) -> None:
        super().restore(state)
        window_from_list(&self.closes, state[4])


cdef class Wma(Indicator):
    """The mean of the last `period` closes with weights 1 to `period`, the last close the heaviest."""

    def __init__(self, period: int):
        super().__init__(period)
        window_open(&self.closes, self.period)

    def __dealloc__(self):
        free(self.closes.items)

    cdef int update_bar(self, double high, double low, double close) except -1:
        cdef const double* closes
        cdef double total = 0.0
        cdef int at
        window_put(&self.closes, close)
        self.updates += 1
        if self.updates < self.period:
            return 0
        closes = window_oldest(&self.closes)
        for at in range(self.period):
            total += closes[at] * (at + 1)
        return self.come_out(total / (self.period * (self.period + 1.0) / 2.0))

    def state(self) -> list:
        return [*super().state(), window_to_list(&self.closes)]

    def restore(self, state: list) -> None:
        super().restore(state)
        window_from_list(&self.closes, state[4])


cdef class Ema(Indicator):
    """Exponential mean of closes, weight 2 / (period + 1), started with the simple mean of the first `period`."""

    def __init__(self, period: int):
        super().__init__(period)
        self.weight = 2.0 / (period + 1.0)

    cdef int update_bar(self, double high, double low, double close) except -1:
        self.updates += 1
        if self.updates > self.period:
            return self.come_out((close - self.value_now) * self.weight + self.value_now)
        self.total += close
        if self.updates == self.period:
            self.come_out(self.total / self.period)
        return 0

    def state(self) -> list:
        return [*super().state(), self.total]

    def restore(self, state: list) -> None:
        super().restore(state)
        self.total = state[4]


cdef class Atr(Indicator):
    """Wilder's average true range over `period` bars, in price units."""

    cdef int update_bar(self, double high, double low, double close) except -1:
        cdef double span
        self.updates += 1
        if self.updates > 1:
            span = true_range(high, low, self.close_before)
            if self.updates > self.period + 1:
                self.come_out((self.value_now * (self.period - 1) + span) / self.period)
            else:
                self.total += span
                if self.updates == self.period + 1:
                    self.come_out(self.total / self.period)
        self.close_before = close
        return 0

    def state(self) -> list:
        return [*super().state(), self.total, self.close_before]

    def restore(self, state: list) -> None:
        super().restore(state)
        self.total, self.close_before = state[4:]


cdef inline double true_range(double high, double low, double close_before) noexcept:
    cdef double top = high if high > close_before else close_before
    cdef double bottom = low if low < close_before else close_before
    return top - bottom


cdef class Rsi(Indicator):
    """Wilder's relative strength of closes, 0 to 100: the part of the rises in all that moved; 50 where nothing moved."""

    cdef int update_bar(self, double high, double low, double close) except -1:
        cdef double change = close - self.close_before
        cdef double rise = change if change > 0.0 else 0.0
        cdef double fall = -change if change < 0.0 else 0.0
        self.close_before = close
        self.updates += 1
        if self.updates == 1:
            return 0
        if self.updates > self.period + 1:
            self.rises = (self.rises * (self.period - 1) + rise) / self.period
            self.falls = (self.falls * (self.period - 1) + fall) / self.period
        else:
            self.rises += rise
            self.falls += fall
            if self.updates <= self.period:
                return 0
            self.rises /= self.period
            self.falls /= self.period
        return self.come_out(share(self.rises, self.rises + self.falls))

    def state(self) -> list:
        return [*super().state(), self.rises, self.falls, self.close_before]

    def restore(self, state: list) -> None:
        super().restore(state)
        self.rises, self.falls, self.close_before = state[4:]


cdef inline double share(double part, double whole) noexcept:
    """A part of a whole in per cent."""
    return 100.0 * (part / whole) if whole > 0.0 else FLAT


cdef class Macd(Indicator):
    """The fast less the slow exponential mean of closes, its own exponential mean `signal`, and what is between these.

    Both means start at the same bar, the one at which the slow one can: the fast one from the closes just before it. As a
    number it is the `macd` line.
    """

    def __init__(self, fast: int = 12, slow: int = 26, signal: int = 9):
        if not 1 <= fast < slow or signal < 1:
            raise ValueError(f"expected periods 1 <= fast < slow and signal >= 1, found {fast}, {slow} and {signal}")
        super().__init__(slow)
        self.fast = fast
        self.span = signal
        self.signal = Line(signal)
        self.histogram = Line(signal)
        self.fast_weight = 2.0 / (fast + 1.0)
        self.slow_weight = 2.0 / (slow + 1.0)
        self.signal_weight = 2.0 / (signal + 1.0)

    cdef int update_bar(self, double high, double low, double close) except -1:
        self.updates += 1
        if self.updates > self.period:
            self.fast_mean = (close - self.fast_mean) * self.fast_weight + self.fast_mean
            self.slow_mean = (close - self.slow_mean) * self.slow_weight + self.slow_mean
            return self.update_signal(self.fast_mean - self.slow_mean)
        self.slow_mean += close
        if self.updates > self.period - self.fast:
            self.fast_mean += close
        if self.updates < self.period:
            return 0
        self.slow_mean /= self.period
        self.fast_mean /= self.fast
        return self.update_signal(self.fast_mean - self.slow_mean)

    cdef int update_signal(self, double macd) noexcept:
        self.lines += 1
        if self.lines > self.span:
            self.signal_mean = (macd - self.signal_mean) * self.signal_weight + self.signal_mean
        else:
            self.signal_mean += macd
            if self.lines < self.span:
                return 0
            self.signal_mean /= self.span
        self.come_out(macd)
        self.signal.come_out(self.signal_mean)
        return self.histogram.come_out(macd - self.signal_mean)

    @property
    def macd(self) -> Macd:
        """The line itself, so that all three can be named."""
        return self

    @property
    def slow(self) -> int:
        return self.period

    def state(self) -> list:
        return [
            *super().state(), self.fast_mean, self.slow_mean, self.signal_mean, self.lines,
            self.signal.state(), self.histogram.state(),
        ]

    def restore(self, state: list) -> None:
        super().restore(state)
        self.fast_mean, self.slow_mean, self.signal_mean, self.lines = state[4:8]
        self.signal.restore(state[8])
        self.histogram.restore(state[9])

    def __repr__(self):
        return f"Macd({self.fast}, {self.period}, {self.span})={self.value_now!r}"


cdef class Bollinger(Indicator):
    """The simple mean of closes, and bands `width` deviations (of the population) above and below it.

    As a number it is the `middle` line.
    """

    def __init__(self, period: int = 20, width: float = 2.0):
        if not 0.0 < width < 1e9:
            raise ValueError(f"expected a width above 0 deviations, found {width}")
        super().__init__(period)
        self.width = width
        self.upper = Line(period)
        self.lower = Line(period)
        window_open(&self.closes, self.period)

    def __dealloc__(self):
        free(self.closes.items)

    cdef int update_bar(self, double high, double low, double close) except -1:
        cdef const double* closes
        cdef double mean, away, squares = 0.0
        cdef int at
        window_put(&self.closes, close)
        self.updates += 1
        if self.updates < self.period:
            return 0
        mean = window_mean(&self.closes)
        closes = window_oldest(&self.closes)
        for at in range(self.period):
            squares += (closes[at] - mean) * (closes[at] - mean)
        away = self.width * sqrt(squares / self.period)
        self.come_out(mean)
        self.upper.come_out(mean + away)
        return self.lower.come_out(mean - away)

    @property
    def middle(self) -> Bollinger:
        """The line itself, so that all three can be named."""
        return self

    def state(self) -> list:
        return [*super().state(), window_to_list(&self.closes), self.upper.state(), self.lower.state()]

    def restore(self, state: list) -> None:
        super().restore(state)
        window_from_list(&self.closes, state[4])
        self.upper.restore(state[5])
        self.lower.restore(state[6])

    def __repr__(self):
        return f"Bollinger({self.period}, {self.width})={self.value_now!r}"


cdef class Stochastic(Indicator):
    """Where the close lies between the lowest low and the highest high of `period` bars, 0 to 100; 50 where these are equal.

    `k` is the simple mean of the last `smooth` of these, `d` that of the last `signal` values of `k`. As a number it is `k`.
    """

    def __init__(self, period: int = 14, smooth: int = 3, signal: int = 3):
        if smooth < 1 or signal < 1:
            raise ValueError(f"expected smooth and signal of at least 1 bar, found {smooth} and {signal}")
        super().__init__(period)
        self.d = Line(signal)
        window_open(&self.highs, self.period)
        window_open(&self.lows, self.period)
        window_open(&self.raw, smooth)
        window_open(&self.smoothed, signal)

    def __dealloc__(self):
        free(self.highs.items)
        free(self.lows.items)
        free(self.raw.items)
        free(self.smoothed.items)

    cdef int update_bar(self, double high, double low, double close) except -1:
        cdef double bottom, k
        window_put(&self.highs, high)
        window_put(&self.lows, low)
        self.updates += 1
        if self.updates < self.period:
            return 0
        bottom = window_lowest(&self.lows)
        window_put(&self.raw, share(close - bottom, window_highest(&self.highs) - bottom))
        if self.updates < self.period + self.raw.size - 1:
            return 0
        k = window_mean(&self.raw)
        window_put(&self.smoothed, k)
        if self.updates < self.period + self.raw.size + self.smoothed.size - 2:
            return 0
        self.come_out(k)
        return self.d.come_out(window_mean(&self.smoothed))

    @property
    def k(self) -> Stochastic:
        """The line itself, so that both can be named."""
        return self

    def state(self) -> list:
        return [
            *super().state(), window_to_list(&self.highs), window_to_list(&self.lows),
            window_to_list(&self.raw), window_to_list(&self.smoothed), self.d.state(),
        ]

    def restore(self, state: list) -> None:
        super().restore(state)
        window_from_list(&self.highs, state[4])
        window_from_list(&self.lows, state[5])
        window_from_list(&self.raw, state[6])
        window_from_list(&self.smoothed, state[7])
        self.d.restore(state[8])

    def __repr__(self):
        return f"Stochastic({self.period}, {self.raw.size}, {self.smoothed.size})={self.value_now!r}"


cdef class Highest(Indicator):
    """The highest high of the last `period` bars. A breakout is a close above its `previous`."""

    def __init__(self, period: int):
        super().__init__(period)
        window_open(&self.highs, self.period)

    def __dealloc__(self):
        free(self.highs.items)

    cdef int update_bar(self, double high, double low, double close) except -1:
        window_put(&self.highs, high)
        self.updates += 1
        if self.updates < self.period:
            return 0
        return self.come_out(window_highest(&self.highs))

    def state(self) -> list:
        return [*super().state(), window_to_list(&self.highs)]

    def restore(self, state: list) -> None:
        super().restore(state)
        window_from_list(&self.highs, state[4])


cdef class Lowest(Indicator):
    """The lowest low of the last `period` bars. A breakdown is a close below its `previous`."""

    def __init__(self, period: int):
        super().__init__(period)
        window_open(&self.lows, self.period)

    def __dealloc__(self):
        free(self.lows.items)

    cdef int update_bar(self, double high, double low, double close) except -1:
        window_put(&self.lows, low)
        self.updates += 1
        if self.updates < self.period:
            return 0
        return self.come_out(window_lowest(&self.lows))

    def state(self) -> list:
        return [*super().state(), window_to_list(&self.lows)]

    def restore(self, state: list) -> None:
        super().restore(state)
        window_from_list(&self.lows, state[4])


cdef int window_open(WindowC* window, int size) except -1:
    """Take memory for `size` values; again where it had some."""
    free(window.items)
    memset(window, 0, sizeof(WindowC))
    window.items = <double*>calloc(size, 2 * sizeof(double))
    if window.items == NULL:
        raise MemoryError(f"no memory for a window of {size} bars")
    window.size = size
    return 0


cdef inline int window_put(WindowC* window, double value) noexcept:
    """Take in a value and let the oldest go. Each is written twice, so that the last `size` always lie in one piece."""
    window.items[window.at] = value
    window.items[window.at + window.size] = value
    window.at += 1
    if window.at == window.size:
        window.at = 0
    return 0


cdef inline const double* window_oldest(const WindowC* window) noexcept:
    """The oldest of `size` values; the younger ones follow it."""
    return &window.items[window.at]


cdef inline double window_mean(const WindowC* window) noexcept:
    cdef const double* values = window_oldest(window)
    cdef double total = 0.0
    cdef int at
    for at in range(window.size):
        total += values[at]
    return total / window.size


cdef inline double window_highest(const WindowC* window) noexcept:
    cdef double highest = window.items[0]
    cdef int at
    for at in range(1, window.size):
        if window.items[at] > highest:
            highest = window.items[at]
    return highest


cdef inline double window_lowest(const WindowC* window) noexcept:
    cdef double lowest = window.items[0]
    cdef int at
    for at in range(1, window.size):
        if window.items[at] < lowest:
            lowest = window.items[at]
    return lowest


cdef list window_to_list(const WindowC* window):
    """Where the next value goes, and the values."""
    return [window.at, [window.items[at] for at in range(window.size)]]


cdef int window_from_list(WindowC* window, list state) except -1:
    cdef int at
    assert len(state[1]) == window.size
    for at in range(window.size):
        window.items[at] = window.items[at + window.size] = state[1][at]
    window.at = state[0]
    assert 0 <= window.at < window.size
    return 0
