"""Time bars over trades, closed by a timer."""

from libc.stdint cimport int64_t, uint32_t, uint64_t

from tradebot._core.instrument cimport InstrumentC


cdef struct BarC:
    int64_t open_ns             # the bar's label
    int64_t close_ns            # exclusive
    int64_t open                # ticks
    int64_t high
    int64_t low
    int64_t close
    int64_t volume              # lots
    int64_t trades


cdef class BarSeries:
    cdef BarC building
    cdef BarC closed            # the last closed bar
    cdef readonly int64_t interval_ns
    cdef readonly int64_t warmup
    cdef readonly int64_t count  # bars closed so far
    cdef uint32_t instrument    # index
    cdef const InstrumentC* terms
    cdef object keeper          # the kernel that owns the terms
    cdef uint64_t timer         # number of the timer that closes it
    cdef list indicators
    cdef int add_trade(self, int64_t price, int64_t quantity) noexcept
    cdef int close_bar(self, int64_t close_ns) except -1
