"""What guards a position: per entry, a stop and a target as one group at the venue."""

from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t

from tradebot._core.instrument cimport InstrumentC


cdef struct ProtectionC:
    uint64_t id                 # of the entry, or its own; the group's name at the venue
    uint64_t stop_id            # the guards that are open; 0: none
    uint64_t target_id
    int64_t stop                # ticks: where to be stopped out; 0: nowhere
    int64_t target              # ticks: where to take the profit; 0: nowhere
    int64_t distance            # ticks behind the best price; 0: the stop stays
    int64_t filled              # lots to be guarded in all: what the entry filled
    int64_t fee                 # money units of base that were paid out of them
    int64_t closed              # lots that its guards filled
    int64_t base                # of them, before the present group was placed
    uint64_t yields_to          # the order that is to close what is guarded, for which the guards made room; 0: none
    uint64_t timer              # when to guard again, after the venue ended a guard by itself; 0: not set
    uint32_t instrument         # index
    uint16_t strategy
    uint8_t is_sell             # side of the guards
    uint8_t entry_done
    uint8_t met                 # its stop was triggered: what is left goes to the market
    uint8_t dropped             # the strategy cancelled the stop and left the target


cdef struct ProtectionsC:       # in the order they began
    ProtectionC* items
    uint32_t count
    uint32_t items_max


cdef int protections_close(ProtectionsC* protections) noexcept nogil
cdef int protections_add(ProtectionsC* protections, const ProtectionC* protection) except -1 nogil
cdef ProtectionC* protections_get(const ProtectionsC* protections, uint64_t id) noexcept nogil
cdef ProtectionC* protections_of_timer(const ProtectionsC* protections, uint64_t timer) noexcept nogil
cdef int protections_remove(ProtectionsC* protections, uint64_t id) noexcept nogil
cdef int64_t unguarded_after(const ProtectionC* protection, const InstrumentC* terms, int64_t covered) noexcept nogil
cdef object protections_to_list(const ProtectionsC* protections)
cdef int protections_from_list(ProtectionsC* protections, object state) except -1
