"""Indicators: floats begin here. Only + - * / are used, so the same input gives the same bits on every machine.

Definitions are those of TA-Lib, which the tests hold as oracle values: an EMA starts with the simple mean of its first
`period` closes (weight 2 / (period + 1)); ATR is Wilder's (New Concepts in Technical Trading Systems, 1978): the mean
of the first `period` true ranges, then (before * (period - 1) + now) / period; the first bar has no true range.

An indicator behaves as the float it holds in arithmetic and comparison, and is `nan` until it is ready.
"""

from libc.stdlib cimport calloc, free

cdef double NAN_VALUE = float("nan")


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
        raise TypeError("an Indicator is one of Sma, Ema, Atr")

    cdef int come_out(self, double value) noexcept:
        self.value_before = self.value_now
        self.value_now = value
        self.values += 1
        return 0

    def update_one(self, high: float, low: float, close: float) -> float:
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

    def crossed_above(self, Indicator other) -> bool:
        """It was at or below `other` one bar ago and is above it now; False until both have two values."""
        return self.value_before <= other.value_before and self.value_now > other.value_now

    def crossed_below(self, Indicator other) -> bool:
        """It was at or above `other` one bar ago and is below it now; False until both have two values."""
        return self.value_before >= other.value_before and self.value_now < other.value_now

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


cdef class Sma(Indicator):
    """The mean of the last `period` closes, summed afresh each time, so that no error builds up."""

    def __init__(self, period: int):
        super().__init__(period)
        self.ring = <double*>calloc(self.period, sizeof(double))
        if self.ring == NULL:
            raise MemoryError(f"no memory for {period} closes")

    def __dealloc__(self):
        free(self.ring)

    cdef int update_bar(self, double high, double low, double close) except -1:
        cdef double total = 0.0
        cdef int at
        self.ring[self.updates % self.period] = close
        self.updates += 1
        if self.updates < self.period:
            return 0
        for at in range(self.period):
            total += self.ring[(self.updates + at) % self.period]
        return self.come_out(total / self.period)

    def state(self) -> list:
        return [*super().state(), [self.ring[at] for at in range(self.period)]]

    def restore(self, state: list) -> None:
        super().restore(state)
        for at in range(self.period):
            self.ring[at] = state[4][at]


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
