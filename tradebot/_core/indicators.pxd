"""Indicators over closed bars: one value each, kept online."""

from libc.stdint cimport int64_t


cdef class Indicator:
    cdef readonly int period
    cdef double value_now
    cdef double value_before
    cdef int64_t values         # how many values have come out
    cdef int64_t updates        # how many bars have gone in
    cdef int update_bar(self, double high, double low, double close) except -1
    cdef int come_out(self, double value) noexcept


cdef class Sma(Indicator):
    cdef double* ring


cdef class Ema(Indicator):
    cdef double total
    cdef double weight


cdef class Atr(Indicator):
    cdef double total
    cdef double close_before
