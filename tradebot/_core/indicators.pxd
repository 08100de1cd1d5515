"""Indicators over closed bars: one value each, or a few lines, kept online."""

from libc.stdint cimport int64_t


cdef struct WindowC:            # the last `size` values
    double* items               # each twice, `size` apart
    int size
    int at                      # where the next value goes; the oldest is there


cdef class Indicator:
    cdef readonly int period
    cdef double value_now
    cdef double value_before
    cdef int64_t values         # how many values have come out
    cdef int64_t updates        # how many bars have gone in
    cdef int update_bar(self, double high, double low, double close) except -1
    cdef int come_out(self, double value) noexcept


cdef class Line(Indicator):
    pass


cdef class Sma(Indicator):
    cdef WindowC closes


cdef class Wma(Indicator):
    cdef WindowC closes


cdef class Ema(Indicator):
    cdef double total           # of the closes before the first value
    cdef double weight


cdef class Atr(Indicator):
    cdef double total           # of the true ranges before the first value
    cdef double close_before


cdef class Rsi(Indicator):
    cdef double rises           # their mean; their sum before the first value
    cdef double falls
    cdef double close_before


cdef class Macd(Indicator):
    cdef readonly int fast
    cdef int span               # period of the signal
    cdef readonly Line signal
    cdef readonly Line histogram
    cdef double fast_weight, slow_weight, signal_weight
    cdef double fast_mean, slow_mean, signal_mean   # their sums before their first values
    cdef int64_t lines          # values of the macd line so far, shown or not
    cdef int update_signal(self, double macd) noexcept


cdef class Bollinger(Indicator):
    cdef WindowC closes
    cdef readonly double width
    cdef readonly Line upper
    cdef readonly Line lower


cdef class Stochastic(Indicator):
    cdef WindowC highs
    cdef WindowC lows
    cdef WindowC raw            # before it is smoothed
    cdef WindowC smoothed
    cdef readonly Line d


cdef class Highest(Indicator):
    cdef WindowC highs


cdef class Lowest(Indicator):
    cdef WindowC lows
