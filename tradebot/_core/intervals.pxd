"""A bar, and the intervals of a series by venue time, each in a slot that fills until it is closed."""

from libc.stdint cimport int64_t, uint16_t, uint32_t, uint64_t

from tradebot._core.types cimport RecordC


cdef struct BarC:
    int64_t open_ns             # the bar's label
    int64_t close_ns            # exclusive; of a bar by size the time of its last trade
    int64_t open                # ticks
    int64_t high
    int64_t low
    int64_t close
    int64_t volume              # lots
    int64_t trades              # or stored bars that it is made of; 0: an interval in which there was none


cdef struct SlotC:              # what has come for one interval
    BarC bar
    int64_t first_ns            # venue time and number of the trade that is its open
    uint64_t first_sequence
    int64_t last_ns             # of the trade that is its close
    uint64_t last_sequence


cdef struct IntervalsC:
    SlotC* items                # by label, ascending; none is empty
    uint32_t count
    uint32_t items_max


cdef int bar_add_trade(BarC* bar, int64_t price, int64_t quantity) except -1 nogil
cdef int bar_repeat(BarC* bar) noexcept nogil
cdef list bar_to_list(const BarC* bar)
cdef int bar_from_list(BarC* bar, object state) except -1

cdef int intervals_close(IntervalsC* intervals) noexcept nogil
cdef int intervals_add_trade(IntervalsC* intervals, const RecordC* trade, int64_t venue_ns, int64_t width_ns) except -1 nogil
cdef int intervals_put_bar(IntervalsC* intervals, const RecordC* stored, int64_t width_ns) except -1 nogil
cdef int intervals_compose(const IntervalsC* intervals, int64_t open_ns, int64_t close_ns, BarC* bar) except -1 nogil
cdef int intervals_drop(IntervalsC* intervals, int64_t before_ns) noexcept nogil
cdef list intervals_to_list(const IntervalsC* intervals)
cdef int intervals_from_list(IntervalsC* intervals, list state) except -1


cdef inline uint16_t interval_code(int64_t interval_ns) noexcept nogil:
    """A stored bar's word for its interval: whole seconds, 0 where these do not fit."""
    cdef int64_t seconds = interval_ns // 1_000_000_000
    return <uint16_t>seconds if seconds * 1_000_000_000 == interval_ns and seconds <= 65535 else 0
