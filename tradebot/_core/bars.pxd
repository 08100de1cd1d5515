"""Bars of one instrument: by time of receipt, by venue time, by number of trades, by volume, by notional."""

from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t

from tradebot._core.context cimport ContextC
from tradebot._core.instrument cimport InstrumentC
from tradebot._core.intervals cimport BarC, IntervalsC
from tradebot._core.types cimport RecordC


cdef enum BarKind:
    BY_RECEIPT = 1
    BY_VENUE = 2
    BY_TICKS = 3
    BY_VOLUME = 4
    BY_NOTIONAL = 5


cdef enum BarSource:
    SOURCE_UNDECIDED = 0        # whichever comes first
    SOURCE_TRADES = 1
    SOURCE_BARS = 2             # stored bars of `part_ns`


cdef enum:
    RESTATED_INTERVALS_MAX = 16     # how many closed intervals a late fact may reach back
    SILENT_INTERVALS_MAX = 100000   # how many empty bars one fact may bring; a longer silence brings none


cdef class BarSeries:
    cdef BarC building
    cdef BarC closed            # the last closed bar
    cdef BarC told              # what `next_bar` brought out: the closed bar, or a restated one
    cdef uint8_t restated       # `told` replaces a bar that was told before
    cdef uint8_t kind           # BarKind
    cdef uint8_t source         # BarSource
    cdef uint8_t restatements   # asked for
    cdef uint16_t part_code     # what a stored bar of `part_ns` has in its `owner`
    cdef readonly int64_t interval_ns   # of bars by time; 0 of bars by size
    cdef readonly int64_t warmup
    cdef readonly int64_t count  # bars closed so far
    cdef readonly int64_t late  # facts that came for an interval that was closed
    cdef int64_t grace_ns       # how long after its end a bar by venue time closes
    cdef int64_t threshold      # trades, lots or money units that end a bar by size
    cdef int64_t reached        # of these, in the bar that is building
    cdef int64_t reached_left   # remainder of the notional
    cdef int64_t part_ns        # interval of the slots
    cdef int64_t begun_ns       # open time of the first bar that came out of slots
    cdef int64_t closed_ns      # end of the last one; 0 before it
    cdef IntervalsC intervals
    cdef int64_t upto_ns        # bars that end by then are due; 0: none, and between steps
    cdef int64_t late_ns        # open time of the interval to restate; 0: none, and between steps
    cdef uint32_t instrument    # index
    cdef const ContextC* context
    cdef const InstrumentC* terms
    cdef object keeper          # the kernel that owns both
    cdef uint64_t timer         # number of the timer that closes it; 0: trades do
    cdef list indicators
    cdef int take(self, const RecordC* record) except -1
    cdef int fire(self, int64_t due_ns) noexcept
    cdef int next_bar(self) except -1
    cdef int source_is(self, int64_t part_ns) except -1
    cdef int take_by_venue(self, const RecordC* trade) except -1
    cdef int take_by_size(self, const RecordC* trade) except -1
    cdef int take_stored(self, const RecordC* stored) except -1
    cdef int adopt(self, const RecordC* stored) except -1
    cdef int restate_later(self, int64_t label) noexcept
    cdef int close_received(self) except -1
    cdef int close_slots(self) except -1
    cdef int close_sized(self) except -1
    cdef int64_t next_open(self) noexcept
    cdef int64_t kept_ns(self) noexcept
    cdef int restate(self) except -1
    cdef int come_out(self) except -1
