"""Stored facts, the simulated venue's answers and timers as one stream."""

cimport cython
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


@cython.final
cdef class Merge:
    cdef readonly Kernel kernel
    cdef readonly Simulator simulator
    cdef object source                  # the array that was loaded last
    cdef const RecordC* rows            # its records, from `rows_at` on not yet in the window
    cdef int64_t rows_count
    cdef int64_t rows_at
    cdef RecordC* window                # a ring of records not yet done with: number n is at n & mask
    cdef int64_t* venue_ns              # when the venue shows each, never decreasing per instrument
    cdef int64_t* next_same             # number of the next record of the instrument, -1 where not fed yet
    cdef int64_t mask
    cdef int64_t kept                   # number from which on the window still holds them
    cdef int64_t at                     # number of the next record for the kernel
    cdef int64_t end                    # records that came into the window so far
    cdef int64_t* cursors               # by market: the next one for the venue, -1 where not fed yet
    cdef int64_t* lasts                 # by market: the last one fed, -1 before
    cdef int64_t* shown_ns              # by market: venue time of the last one fed
    cdef int64_t feed_lag_max_ns
    cdef bint by_bars                   # bars fill
    cdef int64_t* openings              # by market: the next bar that opens at the venue, -1 where not fed yet
    cdef int64_t* closed_ns             # by market: when the bar that opened last is told
    cdef readonly uint64_t events       # market facts stepped
    cdef int64_t fed_ns                 # time of the last record that came into the window
    cdef bint started
    cdef int64_t sample_ns              # the next time of the sampling grid
    cdef int64_t sample_interval_ns
    cdef SampleC* samples
    cdef uint32_t sample_count
    cdef uint32_t samples_max
    cdef int take_rows(self) except -1
    cdef int refuse(self, const RecordC* row) except -1
    cdef int64_t oldest(self) noexcept
    cdef int widen(self, int64_t more) except -1
    cdef int step_over_trades(self) noexcept
    cdef bint next_opening(self, uint32_t* best, int64_t* best_ns) noexcept
    cdef int open_bar(self, uint32_t market, int64_t time_ns) except -1
    cdef int64_t range_ns(self, uint32_t market, const RecordC* bar) noexcept
    cdef int advance_venue(self, int64_t time_ns) except -1
    cdef uint32_t next_shown(self) noexcept
    cdef int64_t step_quiet(self, bint is_last, int64_t facts_max) except -1
    cdef int64_t quiet_end(self, bint is_last) noexcept
    cdef int run_quiet(self, int64_t stop, int64_t end_ns) except -1
    cdef int step_one(self, bint is_last) except -1
    cdef int sample(self, int64_t time_ns) except -1
    cdef int sample_until(self, int64_t now) except -1
