"""Stored facts, the simulated venue's answers and timers as one stream."""

from libc.stdint cimport int64_t, uint16_t, uint32_t, uint64_t

from tradebot._core.kernel cimport Kernel
from tradebot._core.simulator cimport Simulator
from tradebot._core.types cimport RecordC


cdef struct SampleC:
    int64_t time_ns
    int64_t bid
    int64_t ask
    int64_t position
    int64_t realised
    int64_t unrealised
    int64_t fees
    uint32_t instrument
    uint32_t strategy
    int64_t mark


cdef class Merge:
    cdef readonly Kernel kernel
    cdef readonly Simulator simulator
    cdef RecordC* window                # records fed and not yet done with
    cdef int64_t* venue_ns              # when the venue shows each, never decreasing per instrument
    cdef int64_t* next_same             # index of the next record of the instrument, -1 where not fed yet
    cdef uint32_t window_max
    cdef uint32_t venue_max
    cdef uint32_t next_max
    cdef int64_t count                  # records in the window
    cdef int64_t at                     # the next one for the kernel
    cdef int64_t* cursors               # by market: the next one for the venue, -1 where not fed yet
    cdef int64_t* lasts                 # by market: the last one fed, -1 before
    cdef int64_t* shown_ns              # by market: venue time of the last one fed
    cdef int64_t feed_lag_max_ns
    cdef readonly uint64_t events       # market facts stepped
    cdef readonly uint64_t fed          # records fed
    cdef int64_t fed_ns                 # time of the last one
    cdef bint started
    cdef int64_t sample_ns              # the next time of the sampling grid
    cdef int64_t sample_interval_ns
    cdef SampleC* samples
    cdef uint32_t sample_count
    cdef uint32_t samples_max
    cdef int append(self, const RecordC[::1] rows) except -1
    cdef int drop_done(self) noexcept
    cdef int advance_venue(self, int64_t time_ns) except -1
    cdef int step_one(self, bint is_last) except -1
    cdef int sample(self, int64_t time_ns) except -1
    cdef int sample_until(self, int64_t now) except -1
